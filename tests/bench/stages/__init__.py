"""The stages that are measured. Each gives figures; `QUICK` take under two minutes together, `FULL` the rest, too."""

from collections.abc import Callable, Sequence

from tests.bench.figures import Measured
from tests.bench.stages import catalogue, days, features, models, sizes, start_up
from tests.bench.stages.home import Bench

Stage = Callable[[Bench], Sequence[Measured]]

QUICK: tuple[Stage, ...] = (
    start_up.start_up,
    catalogue.first_load,
    catalogue.one_reading,
    catalogue.csv_body,
    catalogue.pull,
    features.circles,
    features.midnights,
    features.heatmaps,
    models.one_place,
    models.etas,
)
FULL: tuple[Stage, ...] = (
    *QUICK,
    start_up.commands,
    catalogue.full_read,
    days.the_day,
    days.a_year,
    days.many_recipes,
    sizes.sizes,
    models.evaluation,
    models.network,  # last: it imports TensorFlow, which the memory above must not hold
)
