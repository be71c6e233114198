"""Models that forecast the probability of the target. Each kind of model has its own modules."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # Suppress TensorFlow's import messages in the log
