"""Resampling by index. The yardstick is imbalanced-learn itself, run on the same summaries with the same random state."""

import numpy as np
import pytest
from imblearn.over_sampling import SMOTE
from imblearn.under_sampling import ClusterCentroids, EditedNearestNeighbours, NearMiss, RandomUnderSampler

from forecaster.errors import BadInput, NotTrainable
from forecaster.models.first_system.resample import ClassCounts, Resampled, resample
from forecaster.registry.recipe_fields import ResamplingMethod

NINE = [
    "SMOTE",
    "RandomUnderSampler",
    "ClusterCentroids",
    "NearMiss",
    "TomekLinks",
    "CondensedNearestNeighbour",
    "EditedNearestNeighbours",
    "AllKNN",
    "NeighbourhoodCleaningRule",
]


def method(name: str, **args: object) -> ResamplingMethod:
    return ResamplingMethod(name=name, args=args)


@pytest.fixture(scope="module")
def span() -> tuple[np.ndarray, np.ndarray]:
    """300 days, 40 with the target, whose summaries overlap."""
    labels = np.zeros(300, dtype=bool)
    labels[::8] = True
    labels[1:3] = True
    return np.random.default_rng(5).normal(size=(300, 4)) + labels[:, None], labels


def blended(result: Resampled, summary: np.ndarray) -> np.ndarray:
    return (1 - result.weight[:, None]) * summary[result.i] + result.weight[:, None] * summary[result.j]


@pytest.mark.parametrize("name", NINE)
def test_each_of_the_nine_gives_consistent_indices(span, name: str) -> None:
    """Labels are those of the parents; both parents of a blend are of one class; only SMOTE blends; the counts are right."""
    summary, labels = span
    result = resample([method(name)], summary, labels, np.random.default_rng(0))
    assert len(result.i) == len(result.j) == len(result.weight) == len(result.labels) > 0
    assert (labels[result.i] == result.labels).all() and (labels[result.j] == result.labels).all()
    assert (result.weight >= 0).all() and (result.weight < 1).all()
    assert result.before == ClassCounts(260, 40)
    assert result.after == ClassCounts(int((~result.labels).sum()), int(result.labels.sum()))
    assert ((result.weight == 0).all() and (result.i == result.j).all()) == (name != "SMOTE")
    assert result.exact_prior == (name == "RandomUnderSampler")


def test_nothing_to_resample(span) -> None:
    summary, labels = span
    result = resample([], summary, labels, np.random.default_rng(0))
    assert result.i.tolist() == list(range(300)) and result.exact_prior and result.before == result.after


@pytest.mark.parametrize(
    ("chosen", "yardstick"),
    [
        (method("RandomUnderSampler", random_state=3), RandomUnderSampler(random_state=3)),
        (method("RandomUnderSampler", random_state=3, sampling_strategy=0.25), RandomUnderSampler(random_state=3, sampling_strategy=0.25)),
        (method("NearMiss", version=2), NearMiss(version=2)),
        (method("EditedNearestNeighbours", n_neighbors=5), EditedNearestNeighbours(n_neighbors=5)),
        (method("SMOTE", random_state=3), SMOTE(random_state=3)),
        (
            method("SMOTE", random_state=3, k_neighbors=2, sampling_strategy=0.5),
            SMOTE(random_state=3, k_neighbors=2, sampling_strategy=0.5),
        ),
    ],
)
def test_same_samples_as_imbalanced_learn(span, chosen: ResamplingMethod, yardstick: object) -> None:
    """Row by row. (i, j) exchanged, a neighbour that is the day itself, or weight and 1 - weight exchanged, fail for SMOTE."""
    summary, labels = span
    wanted, wanted_labels = yardstick.fit_resample(summary, labels)
    result = resample([chosen], summary, labels, np.random.default_rng(0))
    assert np.allclose(blended(result, summary), wanted, atol=1e-12)
    assert (result.labels == wanted_labels).all()


def test_cluster_centroids_are_the_nearest_real_days(span) -> None:
    """imbalanced-learn with voting='hard' gives rows instead of indices; the same rows, class by class."""
    summary, labels = span
    wanted, wanted_labels = ClusterCentroids(random_state=3, voting="hard").fit_resample(summary, labels)
    result = resample([method("ClusterCentroids", random_state=3)], summary, labels, np.random.default_rng(0))
    assert (result.labels == wanted_labels).all()
    assert np.array_equal(summary[result.i], wanted)


def test_chain_of_the_first_system(span) -> None:
    """RandomUnderSampler 0.25 keeps 40 / 0.25 = 160 of 260; SMOTE then brings 40 up to 160. Only the blend makes the prior inexact."""
    summary, labels = span
    steps = [method("RandomUnderSampler", sampling_strategy=0.25), method("SMOTE")]
    result = resample(steps, summary, labels, np.random.default_rng(0))
    assert result.after == ClassCounts(160, 160)
    assert (result.weight > 0).sum() == 120 and not result.exact_prior
    assert labels[result.i[result.weight > 0]].all()


def test_selecting_after_a_blend_keeps_the_parents(span) -> None:
    """SMOTE, then TomekLinks: what is left is a part of what SMOTE alone gives, (i, j, weight) together."""
    summary, labels = span
    smote = resample([method("SMOTE", random_state=1)], summary, labels, np.random.default_rng(0))
    cleaned = resample([method("SMOTE", random_state=1), method("TomekLinks")], summary, labels, np.random.default_rng(0))
    made = set(zip(smote.i.tolist(), smote.j.tolist(), smote.weight.tolist(), strict=True))
    assert set(zip(cleaned.i.tolist(), cleaned.j.tolist(), cleaned.weight.tolist(), strict=True)) <= made
    assert len(cleaned.i) < len(smote.i)


def test_random_states_come_from_the_generator(span) -> None:
    summary, labels = span
    drawn = [resample([method("RandomUnderSampler")], summary, labels, np.random.default_rng(seed)).i.tolist() for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize("name", ["RandomUnderSampler", "SMOTE", "NearMiss"])
def test_a_ratio_that_is_reached_already_changes_nothing(span, name: str) -> None:
    """40 : 260 = 0.154 exceeds 0.1; imbalanced-learn fails here, and a region must not stop training because it had more earthquakes."""
    summary, labels = span
    result = resample([method(name, sampling_strategy=0.1)], summary, labels, np.random.default_rng(0))
    assert len(result.i) == 300 and len(result.notes) == 1
    assert f"{name}(sampling_strategy=0.1)" in result.notes[0] and "40" in result.notes[0]


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([method("NearMiss", neighbours=3)], ["step 1 of 1", "NearMiss", "neighbours", "n_neighbors"]),
        ([method("NearMiss", version=7)], ["NearMiss(version=7)", "version", "3"]),
        ([method("RandomUnderSampler", sampling_strategy=1.5)], ["RandomUnderSampler(sampling_strategy=1.5)", "(0.0, 1.0]"]),
        ([method("RandomUnderSampler", sampling_strategy="most")], ["'most'"]),
        ([method("SMOTE", k_neighbors=0)], ["SMOTE(k_neighbors=0)", "[1, inf)"]),
        ([method("SMOTE", k_neighbors="five")], ["SMOTE(k_neighbors='five')", "k_neighbors"]),
        ([method("SMOTE", k_neighbors=40)], ["SMOTE(k_neighbors=40)", "at least 41", "40 days with the target"]),
        ([method("ClusterCentroids", voting="soft")], ["voting", "hard"]),
        ([method("ClusterCentroids", estimator="KMeans")], ["estimator"]),
        ([method("SMOTE", sampling_strategy=0.5), method("SMOTE")], ["step 2 of 2", "at most one SMOTE"]),
    ],
)
def test_bad_arguments_are_named(span, steps: list[ResamplingMethod], words: list[str]) -> None:
    summary, labels = span
    with pytest.raises(BadInput) as error:
        resample(steps, summary, labels, np.random.default_rng(0))
    assert all(word in str(error.value) for word in words), str(error.value)
    assert "\n" not in str(error.value) and "resampling_methods" in str(error.value)


def test_one_class_cannot_be_balanced(span) -> None:
    with pytest.raises(NotTrainable, match="0 target days with 300 others"):
        resample([method("RandomUnderSampler")], span[0], np.zeros(300, dtype=bool), np.random.default_rng(0))


def test_the_prior_of_random_undersampling_can_be_undone() -> None:
    """A known truth: P(target) = logistic(x) at 2 %. Among the kept days the odds are those of the truth divided by the kept share b of
    negatives, in every range of x; b comes from the counted classes. NearMiss distorts the densities, which `exact_prior` says."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=400_000)
    truth = 1 / (1 + np.exp(4.2 - x))
    labels = rng.random(len(x)) < truth
    result = resample([method("RandomUnderSampler")], x[:, None], labels, np.random.default_rng(0))
    b = result.after.negatives / result.before.negatives
    for low, high in ((-2.0, -0.5), (-0.5, 0.5), (0.5, 2.0)):
        here = (x[result.i] >= low) & (x[result.i] < high)
        kept_odds = result.labels[here].sum() / (~result.labels[here]).sum()
        true_share = labels[(x >= low) & (x < high)].mean()
        assert b * kept_odds / (1 + b * kept_odds) == pytest.approx(true_share, rel=0.1)
