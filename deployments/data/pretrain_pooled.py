"""Pre-train the pooled trees from the bundled snapshot, byte for byte as the package ships them.

    python deployments/data/pretrain_pooled.py --until 2014-12-31 --until 2024-11-16

writes forecaster/models/data/pooled-<until>/ for each date: pretrained.json, intensity.json and trees.ubj. No data after the date are used.
The first date serves the evaluation of 2018-2024 and replays. The second is the last day whose outcomes were 45 days old by 2024-12-31, the
end of the snapshot. It takes about two minutes of one core and 1 GB of memory for each date.

A trial of one minute, written elsewhere:

    python deployments/data/pretrain_pooled.py --until 2014-12-31 --circles 40 --to /tmp/trial
"""

from pretraining import run

from forecaster.models.pooled.pooled import KIND
from forecaster.models.pooled.pooled_training import PoolSettings

if __name__ == "__main__":
    run(KIND, __doc__, PoolSettings.circles, PoolSettings.seed)
