"""The parts of a backfill's plan: the days of one recipe, and the models that forecast them."""

from dataclasses import dataclass
from datetime import date, datetime

from forecaster.publishing_rule.blend import Blend


@dataclass(frozen=True)
class ServedModel:
    """A reference to a fitted model; `directory` lies below the models folder."""

    model_id: str
    kind: str
    directory: str
    data_as_of: datetime


@dataclass(frozen=True)
class BlockFit:
    """The results of a walk-forward block's fits: the combination's weights, their source, and the models by kind."""

    first_day: date
    as_of: datetime
    blend: Blend
    models: dict[str, ServedModel]


@dataclass(frozen=True)
class Chunk:
    """The unit of work: rising missing days of one recipe. Plain values that can be sent to another process.

    block_first_day: walk-forward: of the block. Blocks lie on a grid that depends on their length alone, so that any range of days uses the
        same blocks. current-model: the first of the days.
    known_until: the last issue of the whole plan; one reading of the catalogue up to then serves all chunks.
    served, blends: current-model: today's models, and for each day what is published at its issue.
    """

    recipe_id: str
    recipe_hash: str
    block_first_day: date
    days: tuple[date, ...]
    known_until: datetime
    served: tuple[ServedModel, ...] = ()
    blends: tuple[Blend, ...] = ()
