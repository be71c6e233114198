"""The exception tree. Every message says what, which value, the limit, where, and what to do.

QuakecastError
+-- BadInput                  the user can correct it: recipe, date, option, folder  exit code 2
|   +-- BadRecipe             one or more problems in a recipe file, all listed
|   +-- BadDate
|   +-- NotWritable
+-- CatalogError              the catalogue could not be read
|   +-- CatalogUnreachable    network, time-out, 5xx after retries
|   |   +-- NoConnection      nothing answered: no network, no such name, a proxy that refuses us
|   +-- CatalogRefused        4xx: our request is wrong
|   +-- CatalogTruncated      fewer rows than counted, or a cut body
|   +-- CatalogMalformed      the answer does not match the request (HTML, wrong header, a redirect, too large, other events)
+-- StoreError
|   +-- StoreBusy             another process writes
|   +-- StoreUnreachable      a remote source, or its files, cannot be read now
|   +-- SchemaTooNew          database written by a newer quakecast
+-- ModelError
|   +-- CorruptModel          a model directory that cannot be trusted
|   +-- NotTrainable          too few target days, or no coverage
|   +-- NotInstalled          it needs a library that this installation lacks, or that this machine cannot run
|   +-- RecipeChanged         a fit of a recipe that was changed or removed meanwhile
+-- NotScoreable              the catalogue has not been read for this recipe
+-- DeliveryError
    +-- DeliveryRefused       permanent: do not retry
    +-- DeliveryFailed        temporary: retry later
        +-- ReceiverSilent    no connection, or no whole answer in time
"""


class QuakecastError(Exception):
    """Root of everything quakecast raises on purpose; `exit_code` is what the command line returns."""

    exit_code = 1


class BadInput(QuakecastError):
    exit_code = 2


class BadRecipe(BadInput):
    """All problems of one recipe file. `problems` holds one line each."""

    def __init__(self, file: str, problems: list[str]) -> None:
        self.file = file
        self.problems = problems
        super().__init__("\n".join(f"{file}: {problem}" for problem in problems))


class BadDate(BadInput):
    pass


class NotWritable(BadInput):
    pass


class CatalogError(QuakecastError):
    pass


class CatalogUnreachable(CatalogError):
    pass


class NoConnection(CatalogUnreachable):
    pass


class CatalogRefused(CatalogError):
    pass


class CatalogTruncated(CatalogError):
    pass


class CatalogMalformed(CatalogError):
    pass


class StoreError(QuakecastError):
    pass


class StoreBusy(StoreError):
    pass


class StoreUnreachable(StoreError):
    pass


class SchemaTooNew(StoreError):
    pass


class ModelError(QuakecastError):
    pass


class CorruptModel(ModelError):
    pass


class NotTrainable(ModelError):
    pass


class NotInstalled(ModelError):
    pass


class RecipeChanged(ModelError):
    pass


class NotScoreable(QuakecastError):
    pass


class DeliveryError(QuakecastError):
    pass


class DeliveryRefused(DeliveryError):
    pass


class DeliveryFailed(DeliveryError):
    """`retry_after_s`: the wait that the receiver asked for, if it asked for one."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class ReceiverSilent(DeliveryFailed):
    pass


def unforeseen(error: Exception) -> str:
    """Return the text for an error that is not ours. Its own text might hold an address or a password, so only its type is shown."""
    return f"{type(error).__name__}: unexpected error; the run's own log says more"
