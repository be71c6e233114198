"""quakecast's library: daily earthquake probabilities that can be checked. It knows neither Prefect nor the flows.

    from forecaster import Clock, load_settings, open_job, predict
    job = open_job(load_settings(), Clock(lambda: datetime.now(UTC), simulated=False), ["tokyo-m45"])
    predict(job)

The names below are the public ones; each is imported when it is first asked for.

Linear algebra uses one thread, unless OPENBLAS_NUM_THREADS says otherwise or numpy was imported before. Our arrays are small: a second
thread waits for work by spinning, which doubles the CPU time of ETAS, and the last bits would depend on the number of cores.
"""

import os
from importlib import import_module
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read once, when numpy is imported

_HOMES = {
    "Clock": "forecaster.clock",
    "QuakecastError": "forecaster.errors",
    "Recipe": "forecaster.recipe",
    "load_recipes": "forecaster.recipe",
    "Settings": "forecaster.settings",
    "load_settings": "forecaster.settings",
    "open_job": "forecaster.pipeline.run_context",
    "pull_catalog": "forecaster.pipeline.daily.pull",
    "train_recipes": "forecaster.pipeline.training.train",
    "predict": "forecaster.pipeline.daily.predict",
    "verify": "forecaster.pipeline.daily.verify",
    "report_data": "forecaster.pipeline.daily.build_report",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'forecaster' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
