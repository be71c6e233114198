"""Errors as reasons, so that a message to the operator can state them in the operator's language.

In English a fault keeps the text of its error. Another language has one text for each kind of error, and refers to the run's log for more.
"""

from forecaster import errors
from forecaster.registry.reasons import Reason, ReasonKey, carried_by

# The first that fits counts.
KINDS: tuple[tuple[type[BaseException], ReasonKey], ...] = (
    (errors.NotWritable, ReasonKey.FAULT_WRITING),
    (errors.BadInput, ReasonKey.FAULT_INPUT),
    (errors.CatalogUnreachable, ReasonKey.FAULT_UNREACHABLE),
    (errors.CatalogError, ReasonKey.FAULT_CATALOGUE),
    (errors.StoreBusy, ReasonKey.FAULT_BUSY),
    (errors.SchemaTooNew, ReasonKey.FAULT_NEWER),
    (errors.StoreError, ReasonKey.FAULT_STORE),
    (errors.ModelError, ReasonKey.FAULT_MODEL),
    (errors.DeliveryError, ReasonKey.FAULT_DELIVERY),
    (errors.QuakecastError, ReasonKey.OTHER),
    (TimeoutError, ReasonKey.FAULT_TIME),
    (Exception, ReasonKey.FAULT_UNEXPECTED),
    (BaseException, ReasonKey.FAULT_STOPPED),
)


def of_fault(error: BaseException, text: str) -> Reason:
    """Return the reason that an error was raised with, else its kind with `text`, which must hold no secret."""
    if (why := carried_by(error)) is not None:
        return why
    key = next(key for kind, key in KINDS if isinstance(error, kind))
    return Reason(key, {"text": text})
