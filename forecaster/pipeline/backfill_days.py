"""Forecasts of many past days of one recipe at once: the same rows that the daily run would have made of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from forecaster.errors import CorruptModel, ModelError
from forecaster.features.windows import TargetDays, target_days
from forecaster.models import registry
from forecaster.models.base import FittedModel
from forecaster.pipeline.backfill_plan import ServedModel
from forecaster.pipeline.champion import CLIMATOLOGY
from forecaster.pipeline.history import first_admissible_day
from forecaster.pipeline.known_days import KnownThrough, references_as_known
from forecaster.pipeline.predict import counts, data_age, no_probability, reference_row
from forecaster.recipe import Recipe
from forecaster.timewindow import from_us

MODELS_KEPT = 64


@dataclass(frozen=True)
class Speaker:
    """A loaded model of a chunk, and the first day that it has not seen."""

    model_id: str
    kind: str
    model: FittedModel
    unseen_from: date


@dataclass(frozen=True)
class Said:
    """What one model says of the days; arrays and lists (n,). Where `spoke` is false there is no row of it."""

    speaker: Speaker
    probability: np.ndarray
    details: list[str | None]
    spoke: np.ndarray
    in_sample: np.ndarray


def days_of(recipe: Recipe, days: Sequence[date]) -> TargetDays:
    """These local days, cut at the recipe's own issue times; `days` rise."""
    whole = target_days(recipe, days[0], (days[-1] - days[0]).days + 1)
    return whole.take(np.isin(whole.local_days, np.array(days, dtype="datetime64[D]")))


def load_speakers(models: Path, recipe: Recipe, served: Sequence[ServedModel]) -> tuple[list[Speaker], dict[str, str]]:
    """(models ready to forecast, {kind: why it is silent}).

    Raises:
        CorruptModel: a directory is not on this machine; a model that is there and cannot be loaded is silent instead.
    """
    speakers, silent = [], {}
    for one in served:
        directory = models / one.directory
        if not directory.is_dir():
            raise CorruptModel(
                f"{one.model_id} is not in {models} on this machine; share QUAKECAST_HOME/models with it or copy the folder there, then "
                "run the backfill again; nothing of these days was stored"
            )
        try:
            model = _loaded(directory, recipe.model_dump_json())
        except ModelError as error:
            silent[one.kind] = str(error)
        else:
            speakers.append(speaker_of(one.model_id, one.kind, model, recipe))
    return speakers, silent


def speaker_of(model_id: str, kind: str, model: FittedModel, recipe: Recipe) -> Speaker:
    """The model with the first day that it may forecast, as `history.check_admissible` has it."""
    return Speaker(model_id, kind, model, first_admissible_day(model, recipe))


@lru_cache(maxsize=MODELS_KEPT)
def _loaded(directory: Path, recipe_json: str) -> FittedModel:
    """The model of a directory, kept: the name of a directory is a hash of its content."""
    return registry.load_model(directory, Recipe.model_validate_json(recipe_json)).model


def forecast_days(
    recipe: Recipe,
    known: KnownThrough,
    days: TargetDays,
    speakers: Sequence[Speaker],
    published_kind: str,
    problem: str | None,
    silent: dict[str, str],
    *,
    allow_in_sample: bool,
) -> list[dict[str, Any]]:
    """Rows of the table `forecast` for each day and model, the climatology first, but for what the writer adds (`STAMPED_LATER`).

    published_kind: whose row is published, where it has one; else the climatology's is, flagged. problem: why that is not the champion.
    silent: by kind, why a model says nothing; what is found here is added. allow_in_sample: models speak of days they have seen, marked.

    Raises:
        NotScoreable: no usual rate on one of the days.
    """
    reference = references_as_known(recipe, known, days.cut_us)
    said = [_said(recipe, known, days, reference, speaker, silent, allow_in_sample=allow_in_sample) for speaker in speakers]
    rows: list[dict[str, Any]] = []
    for j in range(len(days)):
        as_of = from_us(int(days.cut_us[j]))
        age, stale = data_age(as_of, known.read_until(as_of))
        reasons = [reason for reason in (problem, stale) if reason]
        spoken = [one for one in said if one.spoke[j]]
        published = published_kind
        if published not in {CLIMATOLOGY, *(one.speaker.kind for one in spoken)}:
            why = silent.get(published, "no reason is known")
            reasons.append(f"the model could not be loaded ({why}); the usual rate is published instead")
            published = CLIMATOLOGY
        issue = {
            "recipe_id": recipe.id,
            "target_start": from_us(int(days.target_starts_us[j])),
            "target_end": from_us(int(days.target_ends_us[j])),
            "issue_time": as_of,
            "as_of": as_of,
            "official": False,
            "reference_probability": float(reference[j]),
            "recipe_hash": recipe.recipe_hash,
            "target_hash": recipe.target_hash,
            "data_age_hours": age,
        }
        made = [reference_row(recipe, float(reference[j])) | _flags(reasons, None)]
        made += [_row(one, j, reasons) for one in spoken]
        rows += [{**issue, **row, "published": row["model_kind"] == published} for row in made]
    return rows


def _row(said: Said, j: int, reasons: list[str]) -> dict[str, Any]:
    one = said.speaker
    row = {"model_id": one.model_id, "model_kind": one.kind, "probability": float(said.probability[j]), "details": said.details[j]}
    seen = f"in-sample: {one.model_id} has seen this day, it speaks for itself from {one.unseen_from} on; never scored"
    return row | _flags(reasons, seen if said.in_sample[j] else None)


def _flags(reasons: list[str], seen: str | None) -> dict[str, Any]:
    told = [*reasons, *([seen] if seen else [])]
    return {"degraded": bool(told), "degraded_reason": "; ".join(told) or None, "in_sample": seen is not None}


def _said(
    recipe: Recipe,
    known: KnownThrough,
    days: TargetDays,
    reference: np.ndarray,
    speaker: Speaker,
    silent: dict[str, str],
    *,
    allow_in_sample: bool,
) -> Said:
    probability = np.full(len(days), np.nan)
    details: list[str | None] = [None] * len(days)
    in_sample = days.local_days < np.datetime64(speaker.unseen_from)
    asked = np.ones(len(days), dtype=bool) if allow_in_sample else ~in_sample
    if not asked.all():
        silent[speaker.kind] = f"{speaker.model_id} has seen some of these days and may forecast from {speaker.unseen_from} on"
    spoke = np.zeros(len(days), dtype=bool)
    lengths_us = days.target_ends_us - days.target_starts_us
    try:
        for length_us in np.unique(lengths_us[asked]):  # apart where clocks change: some models take one length for all that they are given
            part = asked & (lengths_us == length_us)
            probability[part] = speaker.model.probability(known.inputs, days.take(part), reference[part])
            good = part & (probability > 0) & (probability < 1)
            for place, text in zip(
                np.flatnonzero(good).tolist(), counts(speaker.model, known.inputs, days.take(good), reference[good]), strict=True
            ):
                details[place] = text
            spoke |= good
    except ModelError as error:
        silent[speaker.kind] = str(error)
        spoke[:] = False
    else:
        for wrong in np.flatnonzero(asked & ~spoke)[:1]:
            silent[speaker.kind] = no_probability(speaker.model_id, float(probability[wrong]), days.local_days[wrong])
    return Said(speaker, probability, details, spoke, in_sample)
