"""TensorFlow on one thread: the same bytes whatever the number of cores, for a fifth less CPU time.

Batches of small networks are too small to be shared between threads. Importing this module imports TensorFlow (seconds).
"""

import logging

import tensorflow as tf

log = logging.getLogger(__name__)


def use_one_thread() -> None:
    """Let TensorFlow compute with one thread, and add up in a fixed order, in this process from now on.

    Where TensorFlow has computed before, the number of threads stays as it is: it cannot be changed then. Results may then differ in their
    last bits.
    """
    tf.config.experimental.enable_op_determinism()
    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
    except RuntimeError as error:
        log.debug("TensorFlow keeps its threads: %s", error)
