"""Which model of a recipe is published: the rule, the expiry, and what a person decides.

The champion is the climatology until a challenger's information gain over the champion, on validation days that neither of them was
fitted on, has a 95 % interval above zero. A fresh fit of the champion's kind takes its place untested. A champion expires, back to the
climatology, when its data are older than EXPIRES_AFTER or when its record of official forecasts over the last year lies below the
climatology. Every change is a row of the table `champion`, with its reason and its figures.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from forecaster.errors import BadInput
from forecaster.pipeline.gain import gain_at, gain_numbers, gain_over, gain_words
from forecaster.recipe import Recipe
from forecaster.settings import code_version
from forecaster.store import champions
from forecaster.store.database import Connection
from forecaster.verification.intervals import Interval

CLIMATOLOGY = "climatology"
EXPIRES_AFTER = timedelta(days=90)
RECORD_SPAN = timedelta(days=365)
MOST_UNDEFINED = 0.05  # share of resamples without a target day, above which an interval rests on too few events to decide by


@dataclass(frozen=True)
class Champion:
    """Whose forecasts are published: a kind and, but for the climatology, one fit of it."""

    kind: str
    model_id: str | None


@dataclass(frozen=True)
class Decision:
    """What the rule makes of a comparison; `said` tells each kind's side of it."""

    kind: str
    reason: str
    numbers: dict[str, Any]
    said: dict[str, str]


def champion_at(connection: Connection, recipe: Recipe, as_of: datetime) -> Champion:
    """The champion of the recipe's target for forecasts from what was known at `as_of`."""
    rows = champions.champions_of(connection, recipe.id, recipe.target_hash, as_of)
    return Champion(rows[-1]["kind"], rows[-1]["model_id"]) if rows else Champion(CLIMATOLOGY, None)


def compare(
    recipe: Recipe,
    incumbent: str,
    local_days: np.ndarray,
    happened: np.ndarray,
    reference: np.ndarray,
    said: Mapping[str, np.ndarray],
    eligible: set[str],
) -> Decision:
    """The champion's kind after the validation span.

    Args:
        local_days, happened, reference: (n,), the days, their outcomes and the climatology's probability.
        said: probabilities (n,) of the kinds that were judged.
        eligible: the kinds that may become champion; the climatology always may.

    The incumbent stays untested where it is not in `said`; else the kind with the largest gain over it, of those whose interval lies above
    zero and in no more than MOST_UNDEFINED of whose resamples nothing happened, takes its place.
    """
    forecasts = {CLIMATOLOGY: reference, **said}
    if incumbent not in forecasts:
        reason = f"{incumbent} stays: it could not be judged beside the others"
        return Decision(incumbent, reason, {}, dict.fromkeys(said, reason))
    gains = {
        kind: gain_over(recipe, local_days, happened, forecast, forecasts[incumbent])
        for kind, forecast in forecasts.items()
        if kind != incumbent
    }
    better = [kind for kind, gain in gains.items() if kind in eligible | {CLIMATOLOGY} and is_above_zero(gain)]
    winner = max(better, key=lambda kind: gains[kind].estimate, default=incumbent)
    told = {kind: f"{gain_words(gain)} over {incumbent} on the validation span" for kind, gain in gains.items()}
    if winner != incumbent:
        reason = f"{winner} is published: {told[winner]}"
    elif not gains:
        reason = f"{incumbent} stays published: nothing else could be judged"
    else:
        reason = f"{incumbent} stays published: " + "; ".join(f"{kind} has {words}" for kind, words in told.items())
    numbers = {"over": incumbent, "gains": {kind: gain_numbers(gain) for kind, gain in gains.items()}}
    return Decision(winner, reason, numbers, told)


def is_above_zero(gain: Interval) -> bool:
    """Whether the interval shows a gain, on enough events to speak of."""
    return bool(gain.undefined_share <= MOST_UNDEFINED and np.isfinite(gain.low) and gain.low > 0)


def record(connection: Connection, recipe: Recipe, kind: str, as_of: datetime) -> Interval | None:
    """Gain over the climatology of a kind's official forecasts of the last year, settled by now; None where there is none."""
    rows = champions.scored_of_kind(connection, recipe.id, recipe.target_hash, kind, as_of - RECORD_SPAN, as_of)
    if rows.empty:
        return None
    happened, said, reference = (rows[name].to_numpy() for name in ("happened", "probability", "reference_probability"))
    starts = (pd.Timestamp(start).to_pydatetime() for start in rows["target_start"])
    return gain_at(recipe, starts, happened.astype(bool), said, reference)


def fails(gain: Interval | None) -> bool:
    """Whether a record shows a loss against the climatology, on enough events to speak of."""
    return gain is not None and gain.undefined_share <= MOST_UNDEFINED and gain.high < 0


def standing(connection: Connection, recipe: Recipe, as_of: datetime) -> tuple[Champion, str | None]:
    """The champion at `as_of`; the climatology and the reason, where the champion's data have grown too old."""
    champion = champion_at(connection, recipe, as_of)
    if champion.model_id is None:
        return champion, None
    model = champions.model_named(connection, champion.model_id)
    if model is None:
        return Champion(CLIMATOLOGY, None), f"{champion.model_id} is not in the table of models; train again"
    age = as_of - model["data_as_of"].to_pydatetime()
    if age > EXPIRES_AFTER:
        reason = f"{champion.model_id} has expired: its data are {age.days} days old, {EXPIRES_AFTER.days} are the limit; train again"
        return Champion(CLIMATOLOGY, None), reason
    return champion, None


def review(connection: Connection, recipe: Recipe, now: datetime) -> str | None:
    """Put the climatology in the place of a champion whose record lies below it; says why, None where it does not."""
    champion = champion_at(connection, recipe, now)
    gain = record(connection, recipe, champion.kind, now) if champion.model_id is not None else None
    if gain is None or not fails(gain):
        return None
    reason = f"{champion.kind} has expired: {gain_words(gain)} over climatology in the last year's official forecasts"
    appoint(connection, recipe, Champion(CLIMATOLOGY, None), now, "rule", reason, gain_numbers(gain))
    return reason


def barred(connection: Connection, recipe: Recipe, kinds: set[str]) -> set[str]:
    """The kinds of these that the rule must leave alone: a person took them out of office and has not put them back."""
    out: set[str] = set()
    before = CLIMATOLOGY
    for row in champions.champions_of(connection, recipe.id, recipe.target_hash):
        if row["decided_by"] == "person":
            out.discard(row["kind"])
            if row["kind"] != before:
                out.add(before)
        before = row["kind"]
    return out & kinds


def appoint(
    connection: Connection, recipe: Recipe, champion: Champion, since: datetime, decided_by: str, reason: str, numbers: dict[str, Any]
) -> None:
    """Append a change of champion; the same champion again is none."""
    if champion_at(connection, recipe, since) == champion:
        return
    row = {"recipe_id": recipe.id, "target_hash": recipe.target_hash, "kind": champion.kind, "model_id": champion.model_id, "since": since}
    champions.add_champion(
        connection, row | {"decided_by": decided_by, "reason": reason, "numbers": numbers, "code_version": code_version()}
    )


def previous(connection: Connection, recipe: Recipe) -> Champion:
    """The champion before the present one.

    Raises:
        BadInput: there was none.
    """
    rows = champions.champions_of(connection, recipe.id, recipe.target_hash)
    if not rows:
        raise BadInput(f"{recipe.id} has always published the climatology: there is nothing to go back to")
    return Champion(rows[-2]["kind"], rows[-2]["model_id"]) if len(rows) > 1 else Champion(CLIMATOLOGY, None)
