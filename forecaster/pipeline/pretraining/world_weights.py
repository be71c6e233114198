"""Learn the world's combination weights further: the belief of the present weights, updated by the days since.

The days are those of circles that hardly overlap, so that each counts as a recipe's does (`day_share`). They are forecast by the twins of
the newly trained members, which have not seen them, or by the sets that are kept. Whether the update helps is cross-validated on the same
two years: weights that have seen none of them are updated on one half and evaluated on the other.
"""

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from forecaster.models.pretrained import with_record
from forecaster.pipeline.pretraining.artefacts import Artefact
from forecaster.pipeline.pretraining.promotion import Verdict, compare, gain_between, pooled
from forecaster.publishing_rule.combination import MEMBERS, Belief, Days, combine, departures, learn
from forecaster.publishing_rule.weights import SET, WEIGHTS_FILE, WorldWeights

HEAD = ["recipe_id", "local_day", "happened", "reference"]


def member_forecasts(evaluated: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Merge the rows of each kind (`pretrain.Judged`) into one frame: HEAD, and a column for each member with forecasts."""
    kinds = list(evaluated)
    frame = evaluated[kinds[0]][[*HEAD, "recent_rate"]]
    for kind in kinds:
        rows = evaluated[kind]
        if not frame[HEAD[:2]].equals(rows[HEAD[:2]]):
            raise ValueError(f"the days of {kind} are not those of {kinds[0]}")
        frame = frame.assign(**{kind: rows["said"].to_numpy()})
    return frame


def days_of(rows: pd.DataFrame) -> Days:
    """Return the rows as input of the weight learning."""
    reference = rows["reference"].to_numpy()
    probabilities = {kind: rows[kind].to_numpy() for kind in MEMBERS if kind in rows}
    return Days(departures(probabilities, reference), reference, rows["happened"].to_numpy(dtype=bool))


def learn_on(base: WorldWeights, rows: pd.DataFrame, until: date, seed: int, code_version: str) -> Artefact:
    """Return the weights updated by the days of `rows` that the base has not seen, as a set whose data end with `until`.

    The reported gain over the usual rate combines that of the base and that of these days, forecast with the base's weights. The spread of
    the recipes' gains about one another and about the mean stays the base's, because some months say little about it.
    """
    fresh = rows if base.data_until is None else rows[rows["local_day"] > pd.Timestamp(base.data_until)]
    belief = learn(base.belief, days_of(fresh), base.day_share)
    gain = gain_between(fresh.assign(said=_combined(fresh, base.belief)), "said", "reference") if len(fresh) else None
    content: dict[str, Any] = {
        "belief": belief.record(),
        "day_share": base.day_share,
        "own_sd": base.own_sd,
        "gain_mean": base.gain_mean,
        "gain_sd": base.gain_sd,
        "pooled_gain": base.pooled_gain if gain is None else pooled(base.pooled_gain, gain),
    }
    files = {WEIGHTS_FILE: (json.dumps(content, indent=1) + "\n").encode()}
    settings = {"on_top_of": base.name, "days": len(fresh)}
    record = {
        "circles": int(rows["recipe_id"].nunique()),
        "seed": seed,
        "settings": settings,
        "target_days": int(fresh["happened"].sum()),
        "code": code_version,
    }
    return Artefact(SET, until, with_record(SET, until, files, record))


def judge(unseen: WorldWeights, rows: pd.DataFrame) -> Verdict:
    """Evaluate whether updating `unseen`, weights that have seen none of these days, is better than keeping them."""
    local = rows["local_day"].to_numpy().astype("datetime64[D]")
    early = local < np.quantile(local.astype(np.int64), 0.5).astype("int64").astype("datetime64[D]")
    new = np.full(len(rows), np.nan)
    for learnt, held_out in ((early, ~early), (~early, early)):
        new[held_out] = _combined(rows[held_out], learn(unseen.belief, days_of(rows[learnt]), unseen.day_share))
    return compare(rows.assign(new=new, old=_combined(rows, unseen.belief)), f"{unseen.name}, not learnt on")


def _combined(rows: pd.DataFrame, belief: Belief) -> np.ndarray:
    probabilities = {kind: rows[kind].to_numpy() for kind in MEMBERS if kind in rows}
    return combine(probabilities, belief.weights, rows["reference"].to_numpy())
