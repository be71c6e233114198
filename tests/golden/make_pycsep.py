"""Writes tests/golden/pycsep.json: two made-up records and what pycsep says of them.

pycsep is too large for the tests (cartopy, obspy), so its numbers are kept. Made with pycsep 0.8.0 on Python 3.11 in an environment of
its own:
    python -m venv venv && venv/bin/pip install pycsep==0.8.0 && venv/bin/python tests/golden/make_pycsep.py
A probability p enters as the rate -ln(1 - p), the only rate of a Poisson number that is 0 with chance 1 - p. In the T and W tests
the terms of the target days are odds p / (1 - p), with which pycsep's sum is the binary log-likelihood difference exactly.
"""

import json
from pathlib import Path

import csep
import numpy as np
from csep.core.binomial_evaluations import binary_joint_log_likelihood_ndarray
from csep.core.brier_evaluations import _brier_score_ndarray
from csep.core.poisson_evaluations import _number_test_ndarray, _poisson_likelihood_test, _t_test_ndarray, _w_test_ndarray

SIMULATIONS = 20_000


def record(days: int, mean: float, rng: np.random.Generator) -> dict[str, list]:
    """Days with probabilities, a reference and outcomes, rounded so that the file holds exactly what was scored."""
    probability = np.round(np.clip(rng.gamma(2, mean / 2, days), 0.0002, 0.9), 4)
    reference = np.round(np.clip(probability * np.exp(rng.normal(0, 0.5, days)), 0.0002, 0.9), 4)
    happened = rng.random(days) < probability
    return {"probability": probability.tolist(), "reference": reference.tolist(), "target_days": np.flatnonzero(happened).tolist()}


def scored(days: dict[str, list]) -> dict[str, float]:
    """pycsep's answers."""
    probability, reference = np.array(days["probability"]), np.array(days["reference"])
    happened = np.zeros(len(probability))
    happened[days["target_days"]] = 1
    hits = happened > 0
    rate, base = -np.log(1 - probability), -np.log(1 - reference)
    odds, base_odds = (probability / (1 - probability))[hits], (reference / (1 - reference))[hits]
    student = _t_test_ndarray(odds, base_odds, hits.sum(), rate.sum(), base.sum())
    ranks = _w_test_ndarray(np.log(odds) - np.log(base_odds), (rate.sum() - base.sum()) / hits.sum())
    at_least, at_most = _number_test_ndarray(rate.sum(), hits.sum())
    gamma, _, drawn = _poisson_likelihood_test(rate, happened, SIMULATIONS, seed=1, use_observed_counts=False)
    answers = {
        "information_gain": student["information_gain"],
        "low": student["ig_lower"],
        "high": student["ig_upper"],
        "t_statistic": student["t_statistic"],
        "w_probability": ranks["probability"],
        "delta1": at_least,
        "delta2": at_most,
        "joint_log_likelihood": binary_joint_log_likelihood_ndarray(rate, happened),
        "gamma": gamma,
        "mean_of_drawn": np.mean(drawn),
        "brier_times_minus_2": _brier_score_ndarray(rate, happened),
    }
    return {name: float(value) for name, value in answers.items()}


def main() -> None:
    """Draw the records and write them with their scores."""
    rng = np.random.default_rng(2011)
    records = {"usual": record(700, 0.15, rng), "rare": record(1500, 0.008, rng)}
    golden = {"pycsep": csep.__version__, **{name: {**days, "scores": scored(days)} for name, days in records.items()}}
    Path(__file__).with_name("pycsep.json").write_text(json.dumps(golden) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
