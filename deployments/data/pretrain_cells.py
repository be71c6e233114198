"""Pre-train the network of cells from the bundled snapshot, byte for byte as the package ships it.

    python deployments/data/pretrain_cells.py --until 2014-12-31 --until 2024-11-16

writes forecaster/models/data/cells-<until>/ for each date: pretrained.json and network.json. No data after the date are used. The dates are
those of `pretrain_pooled.py`. It takes about three minutes of one core and 2 GB of memory for each date. The result is byte for byte the
same on one machine.

A trial of one minute, written elsewhere:

    python deployments/data/pretrain_cells.py --until 2014-12-31 --circles 30 --to /tmp/trial
"""

from pretraining import run

from forecaster.models.cells.cells import KIND
from forecaster.models.cells.cells_training import TrainingSettings

if __name__ == "__main__":
    run(KIND, __doc__, TrainingSettings.places, TrainingSettings.seed)
