"""A kind of model is trained on the catalogue of the world by what its entry in the registry says, and by nothing else."""

import json
from dataclasses import dataclass
from datetime import date

import numpy as np
import pytest

from forecaster.errors import BadInput
from forecaster.features.circles import circle_recipe
from forecaster.models.fit_and_load import model_of_set
from forecaster.models.interface import logit, sigmoid
from forecaster.models.pretrained import Pretrained
from forecaster.pipeline.pretraining import fit_set
from forecaster.pipeline.pretraining.artefacts import Unpacked, packed, train
from forecaster.pipeline.pretraining.promotion import compare
from forecaster.pipeline.pretraining.trained_sets import name_of
from forecaster.recipe import Recipe
from forecaster.registry import model_kinds
from forecaster.registry.model_kinds import Kind
from tests.support import small_globe
from tests.support.small_globe import NOW, SMALL, UNTIL

CIRCLE = circle_recipe(0, 10.0, 20.0, 200.0, 5.0)


@dataclass(frozen=True)
class OfSet:
    """The usual rate with its logit moved by what the set holds."""

    recipe: Recipe
    found: Pretrained

    def probability(self, inputs, days, reference):
        return sigmoid(logit(reference) + json.loads((self.found.folder / "shift.json").read_text()))


def pretrain_set(events, until, circles, seed, tell):
    """Twice as many earthquakes happen from 2022-05 on: log 2 makes up for most of that."""
    tell(f"shifted to {until}")
    return {"shift.json": json.dumps(0.3).encode()}, {"circles": circles or 7, "seed": 3 if seed is None else seed}


@pytest.fixture
def shifted(monkeypatch) -> str:
    kind = Kind("shifted", __name__, pretrained="shifted", pretrainer=__name__, of_set="OfSet")
    monkeypatch.setitem(model_kinds.KINDS, kind.name, kind)
    return kind.name


def test_a_kind_is_trained_packed_and_forecasts_by_its_entry_alone(shifted):
    lines: list[str] = []
    made = train(shifted, small_globe.globe().events, date(2020, 1, 1), None, lines.append, "0")
    record = json.loads(made.files["pretrained.json"])
    assert made.name == "shifted-2020-01-01" and lines == ["shifted to 2020-01-01"]
    assert (record["circles"], record["seed"], record["code"]) == (7, 3, "0")
    with Unpacked() as unpack:
        found = unpack(made)
        assert packed(found) == made
        model = model_of_set(shifted, CIRCLE, found)
        np.testing.assert_allclose(model.probability(None, None, np.array([0.5])), 1 / (1 + np.exp(-0.3)))


def test_the_first_set_of_a_kind_is_compared_with_the_usual_rate(shifted, store, monkeypatch):
    monkeypatch.setattr(fit_set, "known_at", lambda *_: small_globe.globe())
    assert model_of_set(shifted, CIRCLE, None) is None and name_of(shifted, None) == "the usual rate"
    fit = fit_set.fit_kind(store, shifted, NOW, SMALL, None, name_of(shifted, None), "0")
    assert (fit.made.data_until, fit.compared_with) == (UNTIL, "the usual rate")
    np.testing.assert_array_equal(fit.judged["old"], fit.judged["reference"])
    verdict = compare(fit.judged, fit.compared_with)
    assert verdict.takes_over and verdict.reason.startswith("better: +0.")


def test_a_kind_without_such_a_training_is_refused():
    with pytest.raises(BadInput, match="'persistence' have no training on the catalogue of the world"):
        train("persistence", small_globe.globe().events, UNTIL, None, print, "0")
