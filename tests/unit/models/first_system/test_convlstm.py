"""The network is the first system's: size, gates, and the same numbers as Keras's own layer."""

from datetime import date

import keras
import numpy as np
import pytest

from forecaster.features.windows import target_days
from forecaster.models.first_system.convlstm import OneConvolutionConvLSTM, Predictor, build_network, load_network, save_network

RNG = np.random.default_rng(5)


def test_size_of_the_seeds_network(recipes):
    """SEED.md: 1,836,081 parameters, 1,836,021 of them trainable, for 15 x 20 x 30 x 3."""
    network = build_network(recipes["tokyo"], seed=1)
    assert network.input_shape == (None, 15, 20, 30, 3)
    assert network.count_params() == 1_836_081
    assert sum(int(np.prod(weight.shape)) for weight in network.trainable_weights) == 1_836_021


@pytest.mark.parametrize("activation", ["sigmoid", "hard_sigmoid"])
def test_same_numbers_as_kerass_layer(activation):
    """Same weights, same outputs as keras.layers.ConvLSTM2D; Keras 2's hard_sigmoid,
    clip(0.2 x + 0.5, 0, 1), is passed to it as a function.

    Inputs are scaled so that gates reach both ends of the hard sigmoid, where Keras 3's function of that name differs.
    """

    def keras2_hard_sigmoid(x):
        return keras.ops.clip(0.2 * x + 0.5, 0.0, 1.0)

    theirs = keras.layers.ConvLSTM2D(
        7, 3, padding="same", recurrent_activation=keras2_hard_sigmoid if activation == "hard_sigmoid" else "sigmoid"
    )
    ours = OneConvolutionConvLSTM(7, activation)
    windows = (4 * RNG.normal(size=(3, 5, 6, 4, 2))).astype(np.float32)
    theirs(windows), ours(windows)
    assert [weight.shape for weight in ours.get_weights()] == [weight.shape for weight in theirs.get_weights()]
    np.testing.assert_array_equal(ours.get_weights()[2], theirs.get_weights()[2])
    ours.set_weights([*theirs.get_weights()[:2], RNG.normal(size=28).astype(np.float32)])
    theirs.set_weights(ours.get_weights())
    np.testing.assert_allclose(ours(windows), theirs(windows), atol=1e-6)
    if activation == "hard_sigmoid":
        keras3 = keras.layers.ConvLSTM2D(7, 3, padding="same", recurrent_activation="hard_sigmoid")
        keras3.build(windows.shape)
        keras3.set_weights(ours.get_weights())
        assert np.abs(np.asarray(ours(windows)) - np.asarray(keras3(windows))).max() > 1e-3


def test_unknown_gate_is_refused():
    with pytest.raises(ValueError, match="recurrent_activation"):
        OneConvolutionConvLSTM(3, "relu")


def test_seed_fixes_the_first_weights(tiny_recipe):
    first, again, other = (build_network(tiny_recipe(), seed).get_weights() for seed in (1, 1, 2))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first[0], other[0])


def test_saved_and_loaded_in_safe_mode(tmp_path, tiny_recipe):
    network = build_network(tiny_recipe(recurrent_activation="hard_sigmoid"), seed=3)
    save_network(network, tmp_path / "weights.keras")
    loaded = load_network(tmp_path / "weights.keras")
    windows = RNG.random((4, 2, 3, 3, 3)).astype(np.float32)
    np.testing.assert_array_equal(network(windows), loaded(windows))
    assert loaded.get_layer("convlstm").recurrent_activation == "hard_sigmoid"


def test_code_in_a_file_is_refused(tmp_path):
    inputs = keras.Input((2,))
    keras.Model(inputs, keras.layers.Lambda(lambda x: x + 1)(inputs)).save(tmp_path / "evil.keras")
    with pytest.raises(ValueError, match=r"[Uu]nsafe|safe_mode"):
        load_network(tmp_path / "evil.keras")


def test_predictor_is_the_network_day_by_day(tiny_dataset):
    """Batches and single days give the same logits as the network on the window of each day; no day, no logits."""
    dataset = tiny_dataset()
    network = build_network(dataset.recipe, seed=4)
    predictor = Predictor(network)
    many = predictor.logits(dataset.grid, dataset.days)
    single = predictor.logits(dataset.grid, dataset.days.take(slice(137, 138)))
    assert many.shape == (len(dataset.days),)
    assert np.unique(many).size > 30  # the windows differ by the number of events on two days
    np.testing.assert_allclose(single, many[137:138], atol=1e-6)
    assert predictor.logits(dataset.grid, target_days(dataset.recipe, date(2000, 1, 10), 0)).shape == (0,)
