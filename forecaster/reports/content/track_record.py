"""Describe a model's record: its verified days, its evaluation on held-out days, and the verdict in words. Pure."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from forecaster.reports.content.contract import Evaluation, ModelForecast, RecipeForecast, TrackRecord
from forecaster.reports.numbers_as_text import Phrase, count_text, known, model_name, probability_phrase, signed

FEW_VERIFIED_DAYS = 30
FEW_HITS = 5


class Verdict(StrEnum):
    """The verdict on a record against the usual rate; its texts are `verdict.*`."""

    FEW = "few"
    UNKNOWN = "unknown"
    BETTER = "better"
    WORSE = "worse"
    NO_DIFFERENCE = "no_difference"

    @property
    def phrase(self) -> Phrase:
        return Phrase(f"verdict.{self}")


def track_of(recipe: RecipeForecast) -> dict[str, Any] | None:
    """Return the record of the published forecasts on verified days; None where no day is verified."""
    track = recipe.track_record
    if track is None or track.verified_days <= 0:
        return None
    verdict = record_verdict(track)
    return {
        "days": track.verified_days,
        "hits": track.hits,
        "gain": signed(track.information_gain),
        "low": signed(track.low),
        "high": signed(track.high),
        "few": verdict is Verdict.FEW,
        "verdict": verdict.phrase,
    }


def record_verdict(track: TrackRecord) -> Verdict:
    """Return the verdict on verified days.

    It is FEW where the days or the hits are too few, or where they give no interval.
    """
    few = track.verified_days < FEW_VERIFIED_DAYS or track.hits < FEW_HITS or known(track.low) is None or known(track.high) is None
    return Verdict.FEW if few else verdict_of(track.low, track.high)


def verdict_of(low: float | None, high: float | None) -> Verdict:
    """Return BETTER or WORSE than the usual rate only where the whole 95 % interval supports it."""
    low, high = known(low), known(high)
    if low is None or high is None:
        return Verdict.UNKNOWN
    if low > 0:
        return Verdict.BETTER
    return Verdict.WORSE if high < 0 else Verdict.NO_DIFFERENCE


def model_line(model: ModelForecast) -> dict[str, Any]:
    """Return one line of a recipe's details: the model's forecast, and its evaluation on held-out days."""
    counted = known(model.expected_count)
    return {
        "kind": model.kind,
        "name": model_name(model.kind),
        "probability": probability_phrase(model.probability),
        "published": model.published,
        "model_id": model.model_id,
        "count": None if counted is None else count_text(counted),
        "count_low": model.count_low,
        "count_high": model.count_high,
        "evaluation": None if model.evaluation is None else figures_of(model.evaluation),
    }


def figures_of(found: Evaluation) -> dict[str, Any]:
    """Return the figures of an evaluation as text."""
    verdict = verdict_of(found.low, found.high)
    auc, loss, usual = known(found.auc), known(found.log_loss), known(found.reference_log_loss)
    return {
        "gain": signed(found.information_gain),
        "low": signed(found.low),
        "high": signed(found.high),
        "auc": None if auc is None else f"{auc:.2f}",
        "days": found.test_days,
        "target_days": found.target_days,
        "first_day": found.test_first_day,
        "last_day": found.test_last_day,
        "base_rate": probability_phrase(found.base_rate),
        "loss": None if loss is None else f"{loss:.4f}",
        "usual_loss": None if usual is None else f"{usual:.4f}",
        "skill": verdict,
        "verdict": verdict.phrase,
    }


def evaluation_verdict(evaluated: Sequence[dict[str, Any]]) -> Phrase:
    """Return how many of the evaluated recipes did better than the usual rate."""
    tested = [row for row in evaluated if row["evaluation"]["skill"] is not Verdict.UNKNOWN]
    if not tested:
        return Phrase("evaluation.untested")
    better = sum(row["evaluation"]["skill"] is Verdict.BETTER for row in tested)
    key = "evaluation.nothing" if not better else "evaluation.every" if better == len(tested) else "evaluation.some"
    return Phrase(key, {"better": better, "count": len(tested)})
