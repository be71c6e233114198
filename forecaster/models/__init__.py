"""Models: how likely the target is, each kind in modules of its own."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow, where a kind needs it, says at its import what no reader of a log wants
