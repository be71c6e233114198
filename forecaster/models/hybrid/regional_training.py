"""Fit the world's ConvLSTM to one region: Adam on the region's own days, regularised towards the world's weights.

    minimise  sum over days of -log P(observed outcome) + sum over weights of (w - w of the world)^2 / (2 sd^2)

P is the hybrid's probability. Trunk and trees stay fixed; only the networks' residual changes. The penalty is a normal prior about the
world's weights. Its strength and the number of passes were chosen once, for all regions (docs/EXPERIMENTS.md). The pass with the best loss
on the region's last days is used. The world's network is kept unless that pass is better there by `evidence` standard errors.

Importing this module imports TensorFlow (seconds). Only the training imports it. Reproducible by seed, on the same number of cores.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

import numpy as np

from forecaster.features.decayed_counts import decayed_counts
from forecaster.models.data_splits import purge_days
from forecaster.models.hybrid.hybrid import TREES_SHARE, blend, content_of
from forecaster.models.hybrid.hybrid_inference import Network
from forecaster.models.hybrid.hybrid_inputs import Observed, observe
from forecaster.models.hybrid.hybrid_pool import Thinning
from forecaster.models.hybrid.hybrid_training import Tuning
from forecaster.models.hybrid.hybrid_trees import tree_logits
from forecaster.models.interface import History, log_loss, logit
from forecaster.models.pooled.pooled import COUNTS
from forecaster.models.pooled.pooled_training import kept_share
from forecaster.models.pretrained import Pretrained

BLOCK_DAYS = 30


@dataclass(frozen=True)
class TuningSettings:
    """The settings that, with the data, determine a region's training.

    thinning: which of its days are trained on, weighted so that they represent all days. validation_share: share of the days, the last
    ones.
    fewest_target_days: in training and in validation; with fewer, no training is done. sd: how far a weight may move.
    evidence: by how many standard errors the best epoch must be better than the world's network on the validation days.
    """

    thinning: Thinning = field(default_factory=lambda: Thinning(date(1980, 1, 1), 1500, 0.3, 0.1))
    validation_share: float = 0.2
    fewest_target_days: tuple[int, int] = (30, 10)
    sd: float = 0.1
    learning_rate: float = 1e-3
    batch: int = 256
    epochs: int = 5
    evidence: float = 2.0


@dataclass(frozen=True)
class Epoch:
    """One pass over the region's days. Losses in nats a day: train_loss of the batches (None at epoch 0), validation_loss of the blend."""

    epoch: int
    train_loss: float | None
    validation_loss: float


@dataclass(frozen=True)
class Tuned:
    """files: the region's networks by name, empty where the world's are kept. training: JSON-able record of the training."""

    files: dict[str, bytes]
    training: dict[str, Any]


@dataclass(frozen=True)
class RegionDays:
    """Days of one region before the networks' residual is added; arrays of shape (n,).

    offset: the blend's logit without a residual. weight: 1 / the probability with which the day was kept.
    """

    observed: Observed
    side: np.ndarray
    offset: np.ndarray
    happened: np.ndarray
    weight: np.ndarray

    def __len__(self) -> int:
        return len(self.happened)

    def probability(self, networks: Sequence[Network]) -> np.ndarray:
        """float64 (n,): the hybrid's probability with these networks."""
        residual = np.mean([network.residual(self.observed.patches, self.side) for network in networks], axis=0)
        return blend(self.offset, self.offset, residual)


def tune(
    history: History,
    pretrained: Pretrained,
    settings: TuningSettings,
    *,
    seed: int,
    max_minutes: float | None = None,
    max_epochs: int | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Tuned:
    """Train the networks of `pretrained` on all but the last days of `history`, and stop early on the last ones.

    max_minutes: of the whole call. Training ends before an epoch that is not expected to fit. Without enough target days no training is
    done, and the record states this.

    Raises:
        CorruptModel: the artefact's files are not a valid hybrid.
    """
    deadline = np.inf if max_minutes is None else clock() + 60.0 * max_minutes
    first, last = split(history, settings)
    counted = tuple(int(part.happened.sum()) for part in (first, last))
    training: dict[str, Any] = {"seed": seed, "days": len(first.happened), "validation_days": len(last.happened)}
    training |= {"target_days": counted[0], "validation_target_days": counted[1]}
    if any(found < fewest for found, fewest in zip(counted, settings.fewest_target_days, strict=True)):
        fewest = " and ".join(map(str, settings.fewest_target_days))
        few = f"only {counted[0]} target days to train on and {counted[1]} to stop by; {fewest} are the least"
        return Tuned({}, training | {"epochs": 0, "kept_epoch": 0, "reason": few, "history": []})
    held_out = region_days(last, pretrained)
    keep = thinned(first, settings.thinning, np.random.default_rng(seed))
    days = region_days(first, pretrained, keep)
    run = Tuning(
        content_of(pretrained)[2],
        (days.observed.patches, days.side, days.offset, days.happened, days.weight),
        sd=settings.sd,
        rate=settings.learning_rate,
        batch=settings.batch,
        seed=seed + 1,
    )
    start = held_out.probability(run.networks)
    log = [Epoch(0, None, log_loss(start, held_out.happened))]
    best, kept, files, reason, seconds = log[0], start, dict[str, bytes](), "", 0.0
    tell = on_epoch or (lambda epoch: None)
    tell(best)
    limit = settings.epochs if max_epochs is None else min(settings.epochs, max_epochs)
    while not reason:
        began, number = clock(), len(log)
        if number > limit:
            reason = "epochs" if limit == settings.epochs else "max_epochs"
        elif began + seconds > deadline:
            reason = "budget"
        else:
            train_loss = run.pass_once()
            tuned = held_out.probability(run.networks)
            log.append(Epoch(number, train_loss, log_loss(tuned, held_out.happened)))
            tell(log[-1])
            if log[-1].validation_loss < best.validation_loss:
                best, kept, files = log[-1], tuned, run.files()
            seconds = clock() - began
    gain = better(kept, start, held_out.happened)
    shown = gain > settings.evidence
    training |= {"epochs": len(log) - 1, "kept_epoch": best.epoch if shown else 0, "reason": reason, "evidence": gain}
    return Tuned(files if shown else {}, training | {"history": [asdict(epoch) for epoch in log]})


def split(history: History, settings: TuningSettings) -> tuple[History, History]:
    """(days to train on, the last ones for early stopping): days with a reference from `settings.thinning.first_day` on, with a purge
    between.
    """
    history = history.take(history.days.local_days >= np.datetime64(settings.thinning.first_day))
    stop = len(history.days) - round(len(history.days) * settings.validation_share)
    parts = history.take(slice(0, max(stop - purge_days(history.recipe), 0))), history.take(slice(stop, None))
    first, last = (part.take(np.isfinite(part.reference)) for part in parts)
    return first, last


def thinned(history: History, thinning: Thinning, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(indices of the days that are kept, 1 / the probability of each)."""
    counts = decayed_counts(history.inputs, history.recipe, history.days, COUNTS)
    share = kept_share(counts, history.happened, thinning)
    kept = np.flatnonzero(rng.random(len(share)) < share)
    return kept, (1.0 / share[kept]).astype(np.float32)


def region_days(history: History, pretrained: Pretrained, kept: tuple[np.ndarray, np.ndarray] | None = None) -> RegionDays:
    """The days of `history`, or those that `thinned` kept, as inputs of the networks of `pretrained`."""
    indices, weight = kept if kept is not None else (np.arange(len(history.happened)), np.ones(len(history.happened), np.float32))
    days = history.take(indices)
    trunk, trees, _ = content_of(pretrained)
    seen = observe(days.inputs, days.recipe, days.days, days.reference)
    start = trunk.probability(seen.counts, seen.reference)
    offset = (1.0 - TREES_SHARE) * logit(start) + TREES_SHARE * tree_logits(trees, seen)
    return RegionDays(seen, seen.side(start), offset, days.happened, weight)


def better(probability: np.ndarray, start: np.ndarray, happened: np.ndarray) -> float:
    """By how many standard errors the forecast `probability` (n,) beats `start` (n,) in log likelihood. Consecutive days are taken in
    blocks of 30.
    """
    sign = np.where(happened, 1.0, -1.0)
    gain = np.logaddexp(0.0, -sign * logit(start)) - np.logaddexp(0.0, -sign * logit(probability))
    blocks = np.add.reduceat(gain, np.arange(0, len(gain), BLOCK_DAYS))
    spread = float(np.sqrt(np.sum((blocks - blocks.mean()) ** 2)))
    return float(gain.sum()) / spread if spread > 0 else 0.0
