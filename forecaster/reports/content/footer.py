"""The operational facts of a page: the state of the data, revisions, what is degraded, which models were published. Pure."""

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from forecaster.reports.content.combined import shown_kind
from forecaster.reports.content.contract import ReportData
from forecaster.reports.content.reason_phrases import reason_phrases
from forecaster.reports.dates_as_text import Writer
from forecaster.reports.numbers_as_text import Phrase, age_phrase, known, model_name

STALE_HOURS = 36.0


def operations(data: ReportData, names: Mapping[str, dict[str, Any]], writer: Writer) -> dict[str, Any]:
    """Return the facts of the page's footer. names: the page's rows by recipe id."""
    age = known(data.data_age_hours)
    degraded = Counter(recipe.degraded_reason for recipe in data.recipes if recipe.degraded_reason)
    keyed = {recipe.degraded_reason: recipe.degraded_reasons for recipe in data.recipes}
    reasons_of = {text: reason_phrases(keyed.get(text, ()), text, writer) for text in (*degraded, *data.degraded)}
    published = Counter(shown_kind(recipe) for recipe in data.recipes if recipe.model_kind and recipe.probability is not None)
    return {
        "data_age_hours": None if age is None else f"{age:.1f}" if age < 10 else f"{age:,.0f}",
        "data_age": Phrase("number.unknown") if age is None else age_phrase(timedelta(hours=age)),
        "stale": age is None or age > STALE_HOURS,
        "last_pull_at": writer.moment(data.last_pull_at),
        "quarantined": sum(data.quarantined.values()),
        "quarantine_reasons": sorted(data.quarantined.items(), key=lambda item: (-item[1], item[0])),
        "revisions": data.revisions_since_yesterday,
        "outcomes_changed": data.outcomes_changed,
        "turned": [_revised(outcome, names, writer) for outcome in data.revised],
        "degraded": data.degraded,
        "degraded_counts": [
            (Phrase("reason.several", {"reasons": reasons_of[reason]}), count)
            for reason, count in sorted(degraded.items(), key=lambda item: (-item[1], item[0]))
        ],
        "degraded_summary": _degraded(data, degraded, reasons_of),
        "sha256": data.forecasts_sha256,
        "code_version": data.code_version,
        "models": [{"name": model_name(kind), "count": count} for kind, count in published.most_common()],
        "next_issue_at": writer.moment(data.next_issue_at),
    }


def _revised(outcome: Any, names: Mapping[str, dict[str, Any]], writer: Writer) -> Phrase:
    row = names.get(outcome.recipe_id)
    magnitude = known(outcome.max_magnitude)
    answer = Phrase("check.no")
    if outcome.observed:
        answer = Phrase("check.yes") if magnitude is None else Phrase("check.yes_magnitude", {"magnitude": f"{magnitude:.1f}"})
    values = {"name": row["name"] if row else outcome.recipe_id, "day": writer(outcome.day), "answer": answer}
    return Phrase("operations.turned", values)


def _degraded(data: ReportData, degraded: Mapping[str, int], reasons_of: Mapping[str, Any]) -> Phrase | None:
    """Return one sentence for the top of the page, whatever the number of degraded forecasts and reasons."""
    count = sum(degraded.values())
    if not count:
        return None if not data.degraded else Phrase("operations.degraded_run", {"reason": reasons_of[data.degraded[0]]})
    forecast_count = sum(recipe.probability is not None for recipe in data.recipes)
    first = max(degraded, key=lambda reason: (degraded[reason], reason))
    key = "operations.degraded_one" if len(degraded) == 1 else "operations.degraded_many"
    return Phrase(key, {"count": count, "all": forecast_count, "reason": reasons_of[first], "more": len(degraded) - 1})
