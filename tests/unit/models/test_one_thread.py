"""The world's networks are trained on one thread, so that a machine with more cores makes the same set."""

import subprocess
import sys
from datetime import date

import pytest

from forecaster.models.cells import cells_training
from forecaster.models.hybrid import hybrid_training


@pytest.mark.slow  # two more processes that import TensorFlow
@pytest.mark.parametrize(("before", "threads"), [("", "1"), ("tf.ones(2) + 1", "0")], ids=["fresh", "where it has computed before"])
def test_threads_of_tensorflow(before, threads):
    """0: as many as there are cores, which TensorFlow cannot change any more; the training goes on with them."""
    script = f"""
import tensorflow as tf
from forecaster.models.one_thread import use_one_thread
{before}
use_one_thread()
print(tf.config.threading.get_intra_op_parallelism_threads(), float((tf.ones(2) + 1)[0]))
use_one_thread()
"""
    told = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.split()
    assert told == [threads, "2.0"]


class Asked(Exception):
    pass


def test_each_network_is_trained_on_one_thread(monkeypatch):
    def ask() -> None:
        raise Asked

    for training in (hybrid_training, cells_training):
        monkeypatch.setattr(training, "use_one_thread", ask)
    with pytest.raises(Asked):
        hybrid_training.pretrain(None, None, date(2000, 1, 1), hybrid_training.TrainingSettings())
    with pytest.raises(Asked):
        cells_training.pretrain(None, date(2000, 1, 1), cells_training.TrainingSettings())
