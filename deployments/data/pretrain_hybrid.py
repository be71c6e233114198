"""Pre-train the hybrid's networks from the bundled snapshot, as the package ships them.

    python deployments/data/pretrain_hybrid.py --until 2014-12-31 --until 2024-11-16

writes forecaster/models/data/hybrid-<until>/ for each date: pretrained.json, trunk.json, trees.ubj and network-0.keras. No data after the
date are used. The first date serves the evaluation of 2018-2024 and replays. The second is the last day whose outcomes were 45 days old by
2024-12-31, the end of the snapshot. It takes about three minutes of one core and 2 GB of memory for each date. A GPU is used if there is
one; then the last bits of the weights differ.

A trial of two minutes, written elsewhere:

    python deployments/data/pretrain_hybrid.py --until 2014-12-31 --circles 20 --to /tmp/trial
"""

from pretraining import run

from forecaster.models.hybrid.hybrid import KIND
from forecaster.models.hybrid.hybrid_training import TrainingSettings

if __name__ == "__main__":
    run(KIND, __doc__, TrainingSettings.circles, TrainingSettings.seed)
