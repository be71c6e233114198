"""Describe in words how a published forecast is combined: its members, their weights, the source of the weights, and its skill. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from forecaster.registry.weights_origin import WeightsFrom
from forecaster.reports.content import older_reasons
from forecaster.reports.content.contract import Evaluation, ModelForecast, PooledSkill, RecipeForecast
from forecaster.reports.content.track_record import Verdict, model_line
from forecaster.reports.dates_as_text import Writer
from forecaster.reports.numbers_as_text import Phrase, count_text, known, model_name, short_name, signed

COMBINED, RATE, HYBRID, REGIONAL = "published", "climatology", "hybrid", "regional"
COUNTS = ("expected_count", "count_low", "count_high")


def weight_text(weight: float) -> str:
    """Return a weight in percent, without the sign: 0.56 -> "56", and "< 1" for a weight that would round to 0."""
    return f"{round(100 * weight)}" if weight >= 0.005 else "< 1"


def is_chosen(recipe: RecipeForecast) -> bool:
    """Return whether a person chose the published model in place of the combination."""
    return _kind_of_source(recipe) == "person"


def shown_kind(recipe: RecipeForecast) -> str | None:
    """Return the model kind that is named to readers: where a person chose a single model, that model's kind."""
    return next(iter(recipe.weights)) if recipe.model_kind == COMBINED and is_chosen(recipe) and recipe.weights else recipe.model_kind


def made_from(recipe: RecipeForecast) -> tuple[Phrase, ...]:
    """Return the members with their weights in short form ("ETAS 56 %"), the heaviest first; the one model where nothing is combined."""
    kind = shown_kind(recipe)
    return _weighed("combined.short", recipe, short_name) if kind == COMBINED and recipe.weights else (short_name(kind),)


def made_of(recipe: RecipeForecast) -> Phrase:
    """Return the number of members as a phrase, or the short name of the one model where nothing is combined."""
    kind = shown_kind(recipe)
    return Phrase("combined.count", {"count": len(recipe.weights)}) if kind == COMBINED and recipe.weights else short_name(kind)


def _weighed(key: str, recipe: RecipeForecast, name: Callable[[str], Phrase]) -> tuple[Phrase, ...]:
    """Return the members, the heaviest first, each as the text `key` with its name and weight."""
    heaviest = sorted(recipe.weights.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Phrase(key, {"model": name(kind), "weight": weight_text(weight)}) for kind, weight in heaviest)


def made_how(recipe: RecipeForecast, writer: Writer) -> Phrase | None:
    """Return a sentence on which members are combined and where the weights come from; None without a forecast probability."""
    kind = shown_kind(recipe)
    if kind is None or recipe.probability is None:
        return None
    if kind != COMBINED and kind != RATE:
        return Phrase("combined.chosen" if is_chosen(recipe) else "combined.one", {"model": model_name(kind)})
    if not recipe.weights:
        return Phrase(f"combined.rate_{_why_rate(recipe)}")
    return Phrase("combined.made", {"members": _weighed("combined.member", recipe, model_name), "source": source_of(recipe, writer)})


def source_of(recipe: RecipeForecast, writer: Writer) -> Phrase:
    """Return the source of the weights as a phrase."""
    source = _source(recipe)
    if source is not None and source.kind in ("mean", "world", "own"):
        return Phrase(f"combined.source_{source.kind}")
    if source is not None and source.until is not None:
        return Phrase("combined.source_package", {"day": writer(source.until)})
    return Phrase("combined.source_unknown")


def _source(recipe: RecipeForecast) -> WeightsFrom | None:
    """Return the source of the weights; None where it is unknown."""
    return recipe.weights_from or older_reasons.weights_from(recipe.weights_source)


def _kind_of_source(recipe: RecipeForecast) -> str | None:
    source = _source(recipe)
    return None if source is None else source.kind


def model_lines(recipe: RecipeForecast) -> list[dict[str, Any]]:
    """Return the lines of the table of models: the published one first, then the members by weight, the usual rate last.

    Where the published forecast is the usual rate or one chosen model, the combination equals it and is left out. A regional network that
    was not adapted to its region returns the same probability as the global one (the hybrid). It gets no line, and its weight is added to
    the hybrid's.
    """
    models, kind, weights = list(recipe.models), shown_kind(recipe), dict(recipe.weights)
    probabilities = {model.kind: model.probability for model in models}
    if kind != REGIONAL and probabilities.get(REGIONAL) is not None and probabilities.get(REGIONAL) == probabilities.get(HYBRID):
        models = [model for model in models if model.kind != REGIONAL]
        if REGIONAL in weights:
            weights[HYBRID] = weights.get(HYBRID, 0.0) + weights.pop(REGIONAL)
    if kind != COMBINED:
        models = [replace(model, published=model.kind == kind) for model in models if model.kind != COMBINED]

    def place(model: ModelForecast) -> tuple[bool, bool, float]:
        return not model.published, model.kind == RATE, -weights.get(model.kind, 0.0)

    lines = []
    for model in sorted(models, key=place):
        weight = weights.get(model.kind)
        lines.append(model_line(model) | {"weight": None if weight is None or kind != COMBINED else weight_text(weight)})
    return lines


def tested_member(recipe: RecipeForecast) -> tuple[ModelForecast, Evaluation] | None:
    """Return the member with the largest weight among those evaluated on held-out days; None where none was evaluated."""
    tested = [(model, found) for model in recipe.models if (found := model.evaluation) and known(found.information_gain) is not None]
    if not tested:
        return None
    weights = dict(recipe.weights)
    if recipe.model_kind is not None and recipe.model_kind != COMBINED:
        weights.setdefault(recipe.model_kind, 1.0)
    return max(tested, key=lambda item: (weights.get(item[0].kind, 0.0), known(item[1].information_gain) or 0.0))


def expected_figures(recipe: RecipeForecast) -> dict[str, float | int | None]:
    """Return expected_count, count_low and count_high of the published forecast.

    They are the expected number of earthquakes and its 95 % range; None where the forecast has no count.
    """
    shown = next((model for model in recipe.models if model.published), None)
    if shown is None:
        return dict.fromkeys(COUNTS)
    figures = {"expected_count": shown.expected_count, "count_low": shown.count_low, "count_high": shown.count_high}
    return figures if all(known(value) is not None for value in figures.values()) else dict.fromkeys(COUNTS)


def expected_number(recipe: RecipeForecast) -> dict[str, Any] | None:
    """Return the expected number and its range as text: count, low, high; None where there is none."""
    figures = expected_figures(recipe)
    count = known(figures["expected_count"])
    return None if count is None else {"count": count_text(count), "low": figures["count_low"], "high": figures["count_high"]}


def is_proven(skill: PooledSkill | None) -> bool:
    """Return whether the combination has shown skill on days of many circles: its whole interval lies above zero."""
    return skill is not None and skill.low > 0


def pooled_phrase(skill: PooledSkill | None, key: str = "evaluation.pooled", without: str = "evaluation.pooled_unmeasured") -> Phrase:
    """Return the text `key` with the combination's gain on days of many circles around the world.

    Return the text `without` where the gain is unknown.
    """
    if skill is None:
        return Phrase(without)
    gains = {"gain": signed(skill.gain), "low": signed(skill.low), "high": signed(skill.high)}
    return Phrase(key, {**gains, "days": skill.target_days})


def trust_phrases(raised: Sequence[dict[str, Any]], skill: PooledSkill | None) -> list[Phrase]:
    """Return phrases on how reliable the figures of `raised` are: rows of `report_context` that are above their usual rate."""
    alone = [row["name"] for row in raised if row["model_kind"] != RATE and not row["combined"] and not _is_tested(row["evaluation"])]
    phrases = [Phrase("caution.unproven", {"name": tuple(alone)})] if alone else []
    if any(row["combined"] for row in raised):
        phrases.append(pooled_phrase(skill, "caution.trust" if is_proven(skill) else "caution.trust_unproven", "caution.trust_unmeasured"))
    return phrases


def _is_tested(evaluation: dict[str, Any] | None) -> bool:
    return evaluation is not None and evaluation["shown_alone"] and evaluation["skill"] is Verdict.BETTER


def _why_rate(recipe: RecipeForecast) -> str:
    """Return why the usual rate is published.

    The reasons are: a person chose it, weights learnt from the region's own record, no member with a forecast (`silent`), or a store from
    before the combination existed.
    """
    kind = _kind_of_source(recipe)
    if recipe.weights_source is None:
        return "alone"
    if kind == "person":
        return "chosen"
    return "learnt" if kind in ("own", "world") and not recipe.degraded_reason else "silent"
