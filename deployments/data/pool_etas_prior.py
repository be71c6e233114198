"""Compute the ETAS prior of forecaster/models/etas/etas_priors.py (POOLED): the circles' common parameters, from the bundled snapshot.

    python deployments/data/pool_etas_prior.py

prints one line per parameter: name, value, standard error. No data after 2010-12-15 are used. It takes about six minutes of one core. For a
trial of one minute: --circles 10.
"""

import argparse
from datetime import date

import numpy as np
from pretraining import snapshot_events

from forecaster.models.etas.etas_kernels import NAMES
from forecaster.models.etas.etas_pooling import pooled_maximum, world_histories
from forecaster.models.etas.etas_priors import POOLED_UNTIL

FIRST_DAY = date(1975, 1, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--circles", type=int, default=100, help="places around the world (%(default)s)")
    parser.add_argument("--seed", type=int, default=20101215, help="draws the circles (%(default)s)")
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    found = pooled_maximum(world_histories(snapshot_events(), FIRST_DAY, POOLED_UNTIL, arguments.circles, rng))
    for name, value, error in zip(NAMES, found.vector, found.standard_errors, strict=True):
        print(f"{name:12} {value:+.4f} {error:.4f}")


if __name__ == "__main__":
    main()
