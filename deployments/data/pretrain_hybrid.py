"""Pre-train the hybrid's networks from the bundled snapshot, as the package ships them.

    python deployments/data/pretrain_hybrid.py --until 2014-12-31 --until 2024-11-16

writes forecaster/models/data/hybrid-<until>/ for each date: pretrained.json, trunk.json, trees.ubj and network-0.keras. Nothing after the
date is looked at. The first date serves the evaluation of 2018-2024 and replays; by 2024-12-31, the end of the snapshot, the outcomes of
days to 2024-11-16 were 45 days old. It takes about seven minutes of one core and 3 GB of memory for each date; a GPU is used if there is
one (then the last bits of the weights differ).

To try it out in two minutes, elsewhere:

    python deployments/data/pretrain_hybrid.py --until 2014-12-31 --circles 20 --to /tmp/trial
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from pretraining import run

from forecaster.models.hybrid.hybrid import KIND
from forecaster.models.hybrid.hybrid_training import TrainingSettings

if __name__ == "__main__":
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    run(KIND, __doc__, TrainingSettings.circles, TrainingSettings.seed)
