"""Messages about runs are in the operator's language: every fault and every step, and no English sentence in a Japanese one."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from forecaster import errors
from forecaster.pipeline.messaging.run_messages import STATES, run_ended, run_partial
from forecaster.registry.faults import KINDS, of_fault
from forecaster.registry.reasons import Reason, ReasonKey, other
from forecaster.reports.content.reason_phrases import step_phrase
from forecaster.reports.numbers_as_text import Phrase
from forecaster.reports.texts import languages, read_texts
from forecaster.settings import Settings, load_settings

SENTENCE = re.compile(r"(?:[A-Za-z][a-z']+ ){3,}[a-z']+")
AT = datetime(2026, 11, 28, 13, tzinfo=UTC)
TEXT = "the server of the events has not answered in time"
FLOWS = Path(__file__).resolve().parents[4] / "flows"


def settings(language: str) -> Settings:
    return load_settings(language=language)


@pytest.mark.parametrize("kind", [kind for kind, _ in KINDS], ids=lambda kind: kind.__name__)
def test_every_fault_is_told_in_the_language_of_the_operator(kind: type[BaseException]) -> None:
    reason = of_fault(kind(TEXT), TEXT) if kind is not errors.BadRecipe else of_fault(errors.BadRecipe("a", [TEXT]), TEXT)
    subject, text = run_ended(settings("en"), "daily", "daily-7", "Failed", AT, reason)
    assert subject == "daily failed: daily-7" and f"It reports: {TEXT}" in text and "28 Nov 2026, 13:00 UTC" in text
    for language in set(languages()) - {"en"}:
        assert SENTENCE.search("\n".join(run_ended(settings(language), "daily", "daily-7", "Failed", AT, reason))) is None
    japanese = run_ended(settings("ja"), "daily", "daily-7", "Failed", AT, reason)[1]
    assert "2026年11月28日 22:00(日本時間)に終わりました。結果：失敗" in japanese


def test_the_reason_of_an_error_is_kept() -> None:
    reason = Reason(ReasonKey.STARTS, {"magnitude": 4.0})
    assert of_fault(errors.NotScoreable(reason), "other words") is reason
    assert of_fault(errors.NoConnection("x"), "x").key is ReasonKey.FAULT_UNREACHABLE, "the nearest kind counts"


def test_steps_that_failed_are_named_in_the_language_of_the_operator() -> None:
    failed = [
        Reason(ReasonKey.STEP, {"step": "record of world maps"}, (other(TEXT),)),
        Reason(ReasonKey.STEP_OF, {"step": "verify", "about": "athens"}, (other(TEXT),)),
    ]
    subject, text = run_partial(settings("en"), "daily", "one", failed)
    assert subject == "daily partial: record of world maps and verify (athens) failed"
    assert f"It reports: record of world maps: {TEXT}\nIt reports: verify, athens: {TEXT}" in text
    japanese = "\n".join(run_partial(settings("ja"), "daily", "one", failed))
    assert SENTENCE.search(japanese) is None and "世界地図の成績の更新、過去の予測の検証 (athens)" in japanese


def test_every_step_of_the_flows_has_a_text_in_every_language() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in FLOWS.rglob("*.py"))
    steps = set(re.findall(r'(?:alone|note_failure|note_problem)\(\s*"([^"]+)"', source))
    assert len(steps) > 10
    keys = {phrase.key for name in steps if isinstance(phrase := step_phrase(name), Phrase)}
    assert len(keys) == len(steps), [name for name in steps if not isinstance(step_phrase(name), Phrase)]
    for language in languages():
        assert keys | {f"run.state_{state}" for state in STATES} <= read_texts(language).keys()
    assert step_phrase("a step of tomorrow") == "a step of tomorrow"


def test_a_language_that_cannot_be_read_is_replaced_by_english(tmp_path: Path) -> None:
    broken = load_settings(language="xx", templates=tmp_path)
    assert run_ended(broken, "send", "send-1", "Crashed", AT, other(TEXT))[0] == "send crashed: send-1"
