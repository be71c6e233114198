"""The parts of a backfill's plan: the days of one recipe, and the models that forecast them."""

from dataclasses import dataclass
from datetime import date, datetime

from forecaster.pipeline.daily.publishing import Standing


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
    standing: Standing
    models: dict[str, ServedModel]


@dataclass(frozen=True)
class Chunk:
    """The unit of work: consecutive missing days of one recipe, in one block. Plain values that can be sent to another process.

    block_first_day: blocks lie on a grid that depends on their length alone, so that any range of days uses the same blocks.
    known_until: the last issue of the whole plan; one reading of the catalogue up to then serves all chunks.
    served, standing: current-model: today's models, and what is published at the first issue of the block.
    """

    recipe_id: str
    recipe_hash: str
    block_first_day: date
    days: tuple[date, ...]
    known_until: datetime
    served: tuple[ServedModel, ...] = ()
    standing: Standing | None = None
