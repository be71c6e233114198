"""The text of an error for people: in a run's problems and state, in the store, in messages."""

from prefect.exceptions import PrefectException

from forecaster.errors import QuakecastError, unforeseen
from forecaster.registry.faults import of_fault
from forecaster.registry.reasons import Reason

MAX_TEXT = 900


def words(error: BaseException) -> str:
    """Return the messages of quakecast's and Prefect's own errors unchanged. Any other message might hold an address or a password, so only
    its type is shown."""
    if isinstance(error, QuakecastError | PrefectException | TimeoutError):
        return (str(error) or type(error).__name__)[:MAX_TEXT]
    if isinstance(error, Exception):
        return unforeseen(error)
    return f"the run was ended from outside ({type(error).__name__})"


def fault(error: BaseException) -> Reason:
    """Return the same as a reason, which a message states in the operator's language."""
    return of_fault(error, words(error))
