"""Whether the record stays true, whatever happens to it. Each driver has a short form among the tests and a long one in `make soak`.

    kills         days whose process dies (SIGKILL) at every boundary, at random, and between a receiver's yes and the mark as sent
    prefect_runs  the same with runs of a real Prefect server and worker (only in `make soak`)
    month         a month against a service in trouble (`troubles`), compared with the same month without
    fuzz, bodies  recipes, command lines, templates and answers that nobody should write: only documented errors
    upgrade       a database of every schema that has landed, opened by today's code

Loopback only. Every case follows from a seed that is told; every loop ends by a count and by a time.
"""
