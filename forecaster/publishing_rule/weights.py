"""The weights of the combination. One set comes with the package (deployments/data/learn_weights.py makes it); this installation may have
updated it with more days (`pipeline.pretraining.world_weights`).

The weights were learnt on pooled days that the members were not trained on. Before the first such set the mean of ETAS and the hybrid is
used: it needs no learning.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from forecaster.errors import CorruptModel
from forecaster.models.pretrained import Pretrained, newest_before
from forecaster.publishing_rule.combination import MEMBERS, Belief, belief_of

SET = "combination"
WEIGHTS_FILE = "weights.json"
UNLEARNT = "mean"
UNLEARNT_OF = ("etas", "hybrid")
NUMBERS = ("day_share", "own_sd", "gain_mean", "gain_sd")


@dataclass(frozen=True)
class WorldWeights:
    """The weights learnt from pooled days of the whole world.

    name: of the set, for records. data_until: the last day that was learnt from, None where nothing was.
    day_share: the weight of a verified day, as a share of an independent one. own_sd: the standard deviation of a recipe's weights about
    the world's.
    gain_mean, gain_sd: of the recipes' true gains over the usual rate, nats per target day.
    pooled_gain: of all circles together (estimate, low, high, target days), None where it was not measured.
    """

    name: str
    data_until: date | None
    belief: Belief
    day_share: float
    own_sd: float
    gain_mean: float
    gain_sd: float
    pooled_gain: tuple[float, float, float, int] | None


def weights_for(day: date, folder: Path | None = None) -> WorldWeights:
    """The newest weights that may be used for the target `day`.

    Raises:
        CorruptModel: a set does not match its record, or is of another version.
    """
    return weights_of(newest_before(SET, day, folder))


def weights_of(found: Pretrained | None) -> WorldWeights:
    """The weights of a set. Without a set, the weights that need no learning.

    Raises:
        CorruptModel: the set is of another version.
    """
    return unlearnt() if found is None else _read(found.folder, found.sha256, found.data_until)


def usable_weights(day: date) -> tuple[WorldWeights, str | None]:
    """(`weights_for` the day, None). If the set is damaged: the weights that need no learning, and the reason. A damaged file must not stop
    forecasts.
    """
    try:
        return weights_for(day), None
    except CorruptModel as error:
        return unlearnt(), str(error)


def unlearnt() -> WorldWeights:
    """The mean of the logits of ETAS and the hybrid, with a wide prior."""
    mean = np.array([0.5 if name in UNLEARNT_OF else 0.0 for name in MEMBERS])
    return WorldWeights(UNLEARNT, None, Belief(mean, np.eye(len(MEMBERS)) / 0.2**2), 0.3, 0.1, 0.1, 0.1, None)


@lru_cache(maxsize=8)
def _read(folder: Path, sha256: str, data_until: date) -> WorldWeights:
    path = folder / WEIGHTS_FILE
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        numbers = {name: float(content[name]) for name in NUMBERS}
        if not all(np.isfinite(value) for value in numbers.values()) or min(numbers[name] for name in NUMBERS if name != "gain_mean") <= 0:
            raise ValueError(f"numbers out of range: {numbers}")
        return WorldWeights(folder.name, data_until, belief_of(content["belief"]), **numbers, pooled_gain=_gain(content["pooled_gain"]))
    except (OSError, KeyError, TypeError, ValueError) as error:
        why = " ".join(str(error).split())[:200]
        raise CorruptModel(f"{path} holds no weights of this version ({why}); install quakecast again") from error


def _gain(found: Sequence[float]) -> tuple[float, float, float, int]:
    estimate, low, high, targets = found
    return float(estimate), float(low), float(high), int(targets)
