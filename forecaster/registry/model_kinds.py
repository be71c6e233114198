"""The kinds of models. Each kind is one entry with everything that the rest of the project must know about it. To add a kind, add one
module and one entry.

This module imports nothing of a kind: `models.fit_and_load` fits and loads them. docs/EXTENDING.md shows how to add one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

RATES = "forecaster.models.baselines.rates"
ETAS = "forecaster.models.etas.etas"
CIRCLE = "M-4 0A4 4 0 1 0 4 0A4 4 0 1 0 -4 0Z"
SQUARE = "M-3.3 -3.3H3.3V3.3H-3.3Z"
OTHER_COLOUR = ("#1c2333", "#eceef4")


@dataclass(frozen=True)
class Look:
    """How a model is shown in tables and charts.

    title: its name in English; "" if it has only its key. place: its position in tables and legends, ascending.
    colour: (on light, on dark) background. mark: path of an SVG around (0, 0). dash: of its lines, as `stroke-dasharray`.
    baseline: whether others are compared with it; its mark is open. drawn: whether it has its own curves in the charts of an evaluation.
    """

    title: str = ""
    place: int = 1000
    colour: tuple[str, str] = OTHER_COLOUR
    mark: str = CIRCLE
    dash: str = ""
    baseline: bool = False
    drawn: bool = True


@dataclass(frozen=True)
class Kind:
    """A kind of model. A `reference` is refitted each year in evaluations that refit references; other kinds keep their weights.

    module: holds `load` and the function named `fitter`.
    generic: the function there that returns a model for (recipe, day, first day of the record) without a fit, or None where it cannot.
    version: raise it by hand with every change that alters the kind's forecasts, so that its stored evaluations are recomputed.
    pretrained: the kind of the package's artefacts (`models.pretrained`) that it starts from; None for none. A change of these voids stored
    evaluations, too.
    pretrainer: the module with `pretrain_set`, which trains such an artefact on the catalogue of the world (`quakecast pretrain`); None
    where the package's are all there is. pretrainer_tensorflow: whether that needs TensorFlow. of_set: the function of `module` that makes
    the model of (recipe, artefact).
    by_region: whether it is trained on each region's own days, which takes long; such kinds are not evaluated on random circles.
    tensorflow: whether it forecasts with TensorFlow, which an installation may lack.
    epochs: whether it is trained in epochs; `fit` then takes max_epochs and on_epoch. tensorboard: whether `fit` also takes
    tensorboard_dir.
    sees_far: whether it uses earthquakes beyond `pipeline.as_of.as_known.reaches_km`, or small ones (`SMALL_MAG` there) outside the circle;
    it is then given the whole catalogue.
    in_recipes: whether a recipe may name it. member: whether it may count in the published combination.
    alike: whether its forecasts are much like those of other members marked so; they take over each other's weights.
    proven: whether pooled days have shown its skill. A member that is not proven counts only where its own validation days show that its
    forecasts discriminate between days.
    min_magnitude: the smallest threshold of a recipe that it can forecast, 0 for any.
    event_rank: its position among the kinds that use single earthquakes, 0 where it does not.
    first_system: whether it is the first system's, which a setting leaves out (`pipeline.recipes_in_use`).
    seconds_a_fit: duration of both fits with their evaluation. seconds_a_day: duration of a day's forecast. Both on one core of a 2024
    server without other load.
    label: key of its names in templates/i18n ([model] and [short]). Without one its title is shown in every language.
    """

    name: str
    module: str
    fitter: str = "fit"
    generic: str | None = None
    version: int = 1
    reference: bool = False
    pretrained: str | None = None
    pretrainer: str | None = None
    pretrainer_tensorflow: bool = False
    of_set: str = "of_set"
    by_region: bool = False
    tensorflow: bool = False
    epochs: bool = False
    tensorboard: bool = False
    sees_far: bool = False
    in_recipes: bool = True
    member: bool = True
    alike: bool = False
    proven: bool = False
    min_magnitude: float = 0.0
    event_rank: int = 0
    first_system: bool = False
    seconds_a_fit: float = 0.0
    seconds_a_day: float = 0.0
    label: str = ""
    look: Look = field(default_factory=Look)

    def unable(self, threshold_mag: float) -> str | None:
        """Why it can never be a member of a recipe with this threshold, in one line. None where it can."""
        if threshold_mag >= self.min_magnitude:
            return None
        return f"{self.name} knows earthquakes from M {self.min_magnitude:g} on, the threshold is M {threshold_mag:g}"


# The seconds were measured on tokyo-m45 and wellington, and over 10,038 recipe days of 2024; a ConvLSTM takes the minutes that its recipe
# allows. Members keep their order: stored weights and their learning data follow it.
KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "climatology", RATES, "fit_climatology", reference=True, in_recipes=False, member=False, label="climatology",
            look=Look("usual rate", 10, ("#7d818c", "#9aa0ae"), "M-4 0H4", "1 3", baseline=True),
        ),
        Kind(
            "best_rate", RATES, "fit_best_rate", reference=True, member=False, seconds_a_fit=1.0, label="best_rate",
            look=Look("best rate", 40, ("#a8780c", "#e0b14a"), "M-4 0H4M0 -4V4", baseline=True),
        ),
        Kind(
            "recent_rate", RATES, "fit_recent_rate", generic="recent_rate_for", reference=True, in_recipes=False, proven=True,
            label="recent_rate",
            look=Look("three-year rate", 30, ("#5b7f95", "#a9c4d4"), "M0 -4.4V4.4", "1 2", baseline=True, drawn=False),
        ),
        Kind(
            "persistence", RATES, "fit_persistence", reference=True, member=False, seconds_a_fit=1.0, label="persistence",
            look=Look("persistence", 20, ("#8a7a5c", "#c0ae8b"), "M-3.4 -3.4L3.4 3.4M-3.4 3.4L3.4 -3.4", baseline=True, drawn=False),
        ),
        Kind(
            "etas_generic", ETAS, "fit_generic", in_recipes=False, member=False,
            look=Look("ETAS, generic", 50, ("#8c5a3c", "#d6a98c"), SQUARE, "6 2 1 2", baseline=True, drawn=False),
        ),
        Kind(
            "etas", ETAS, generic="generic_for", pretrainer="forecaster.models.etas.etas_pooling", of_set="generic", reference=True,
            by_region=True, alike=True, proven=True, event_rank=1, seconds_a_fit=6.0, seconds_a_day=0.002, label="etas",
            look=Look("ETAS", 60, ("#c2571a", "#f3945a"), SQUARE, "6 3"),
        ),
        Kind(
            "pooled", "forecaster.models.pooled.pooled", generic="generic_for", version=2, pretrained="pooled",
            pretrainer="forecaster.models.pooled.pooled_training", of_set="PooledModel", alike=True, proven=True, event_rank=4,
            seconds_a_fit=2.0, label="pooled",
            look=Look("pooled trees", 70, ("#0e7f8c", "#4cc4d0"), "M0 -4.6L4.6 0L0 4.6L-4.6 0Z", "2 2.5"),
        ),
        Kind(
            "hybrid", "forecaster.models.hybrid.hybrid", generic="generic_for", version=2, pretrained="hybrid",
            pretrainer="forecaster.models.hybrid.hybrid_training", pretrainer_tensorflow=True, of_set="HybridModel", alike=True,
            proven=True, event_rank=3, seconds_a_fit=4.0, seconds_a_day=0.0005, label="hybrid",
            look=Look("hybrid", 90, ("#2c378f", "#b3beff"), CIRCLE),
        ),
        Kind(
            "convlstm", "forecaster.models.first_system.convlstm_model", version=2, by_region=True, tensorflow=True, epochs=True,
            tensorboard=True, sees_far=True, first_system=True, seconds_a_fit=1800.0, seconds_a_day=0.006, label="convlstm",
            look=Look("first ConvLSTM", 80, ("#8a4fa3", "#cd97e3"), "M0 -4.4L4.2 3.2H-4.2Z", "8 3 2 3"),
        ),
        Kind(
            "regional", "forecaster.models.hybrid.regional", generic="generic_for", pretrained="hybrid", by_region=True, epochs=True,
            alike=True, proven=True, event_rank=2, seconds_a_fit=45.0, seconds_a_day=0.0005, label="regional",
            look=Look("hybrid fitted to the region", 100, ("#1f7a3d", "#79d79a"), "M-4.4 -2.6H4.4V2.6H-4.4Z", "3 3"),
        ),
        Kind(
            "cells", "forecaster.models.cells.cells", generic="generic_for", pretrained="cells",
            pretrainer="forecaster.models.cells.cells_training", pretrainer_tensorflow=True, of_set="CellsModel", alike=True, proven=True,
            min_magnitude=4.5, event_rank=5, seconds_a_fit=2.0, seconds_a_day=0.001, label="cells",
            look=Look(
                "network of cells", 110, ("#6b6f12", "#cfd24e"),
                "M-4.4 -4.4H-0.6V-0.6H-4.4ZM0.6 -4.4H4.4V-0.6H0.6ZM-4.4 0.6H-0.6V4.4H-4.4ZM0.6 0.6H4.4V4.4H0.6Z", "9 2 2 2 2 2",
            ),
        ),
    )
}  # fmt: skip

COMBINED = {  # forecasts made from several kinds
    "published": Look(
        "published combination", 0, ("#b0174f", "#ff86b0"),
        "M0 -5L1.5 -1.6L5 -1.5L2.2 0.8L3.2 4.4L0 2.3L-3.2 4.4L-2.2 0.8L-5 -1.5L-1.5 -1.6Z", "12 2",
    ),
    "mean": Look("mean of ETAS and trees", 75, ("#3f86c4", "#7db8ee"), "M-4 -3.2H4L0 4Z", "4 4", drawn=False),
}  # fmt: skip


def looks() -> dict[str, Look]:
    """How every kind and combination is shown, by name, in the order of tables."""
    found = COMBINED | {kind.name: kind.look for kind in KINDS.values()}
    return dict(sorted(found.items(), key=lambda item: item[1].place))


def title_of(model: str) -> str:
    """The English name of a kind or a combination; its key where it has none."""
    look = COMBINED.get(model) or (KINDS[model].look if model in KINDS else Look())
    return look.title or model


def label_of(model: str) -> str | None:
    """The key of its translated names; None where it has none."""
    if model == "published":
        return model
    return (KINDS[model].label or None) if model in KINDS else None


def kinds_where(fits: Callable[[Kind], object]) -> tuple[str, ...]:
    """The names of the kinds that satisfy the condition, in their order."""
    return tuple(kind.name for kind in KINDS.values() if fits(kind))
