"""Messages to the operator about a run that failed, crashed, or ended with failed steps, in the operator's language."""

from collections.abc import Callable, Sequence
from datetime import datetime

from forecaster.errors import BadInput
from forecaster.registry.reasons import Reason
from forecaster.reports.content.reason_phrases import reason_phrases, step_phrase
from forecaster.reports.dates_as_text import Writer
from forecaster.reports.numbers_as_text import Phrase
from forecaster.reports.texts import FALLBACK, day_writer, translator
from forecaster.settings import Settings

STATES = ("failed", "crashed", "timedout")  # that have a text


def run_ended(settings: Settings, flow: str, run: str, state: str, at: datetime, problem: Reason) -> tuple[str, str]:
    """Return (subject, text) about a run that ended in `state` ("Failed", "Crashed" ...) at `at` (aware UTC)."""
    say, writer = _language(settings)
    named = Phrase(f"run.state_{state.lower()}") if state.lower() in STATES else state.lower()
    values = {"flow": flow, "run": run, "state": named}
    lines = [say("run.ended", at=writer.moment(at), **values), *_problems(say, writer, [problem]), say("run.what_to_do")]
    return say("run.ended_title", **values), "\n".join(lines)


def run_partial(settings: Settings, kind: str, run_id: str, failed: Sequence[Reason]) -> tuple[str, str]:
    """Return (subject, text) about a run that ended although the steps of `failed` did not work."""
    say, writer = _language(settings)
    steps = tuple(dict.fromkeys(_step(say, reason) for reason in failed))
    lines = [say("run.partial", kind=kind, run=run_id), *_problems(say, writer, failed), say("run.what_to_do")]
    return say("run.partial_title", kind=kind, steps=steps), "\n".join(lines)


def _language(settings: Settings) -> tuple[Callable[..., str], Writer]:
    """Return the translator and the writer of the operator's language; of English where its file cannot be read."""
    try:
        return translator(settings.language, settings.templates), day_writer(settings.language, settings.templates)
    except BadInput:
        return translator(FALLBACK), day_writer(FALLBACK)


def _problems(say: Callable[..., str], writer: Writer, reasons: Sequence[Reason]) -> list[str]:
    return [say("run.problem", problem=phrase) for reason in reasons for phrase in reason_phrases([reason], None, writer)]


def _step(say: Callable[..., str], reason: Reason) -> str:
    step = step_phrase(str(reason.values.get("step", "")))
    name = say(step) if isinstance(step, Phrase) else step
    return f"{name} ({reason.values['about']})" if "about" in reason.values else name
