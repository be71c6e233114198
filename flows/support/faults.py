"""How an error is described where people read it: in a run's problems and state, in the store, in messages."""

from prefect.exceptions import PrefectException

from forecaster.errors import QuakecastError, unforeseen

MAX_TEXT = 900


def words(error: BaseException) -> str:
    """Our own words and Prefect's as they are. Another's text might hold an address or a password, so only its type is shown."""
    if isinstance(error, QuakecastError | PrefectException | TimeoutError):
        return (str(error) or type(error).__name__)[:MAX_TEXT]
    if isinstance(error, Exception):
        return unforeseen(error)
    return f"the run was ended from outside ({type(error).__name__})"
