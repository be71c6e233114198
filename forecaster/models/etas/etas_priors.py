"""Prior knowledge of ETAS parameters, before a region's data are used. Scales are those of `etas_kernels.NAMES`; K is for M >= 4.5.

PUBLISHED: in rate = 10^(a + b (M - m)) (t + c)^-p of aftershocks of the world's earthquakes, a = -2.47 +- 0.63 (mean and spread over
sequences) and p = 0.88 in subduction zones, -2.42 +- 0.63 and 0.98 in shallow active crust, c = 0.018 days everywhere (Page et al. 2016,
doi:10.1785/0120160073). So an M 6 has 10^(-2.45 + 1.5) = 0.11 of M >= 4.5 a day at t + c = 1 day, over all generations; K is about 0.1. p
is 1.1 with a spread of 0.2 in the review of Utsu et al. (1995, doi:10.4294/jpe1952.43.1). alpha is 0.8 to 1.0, and D grows as 10^(0.5 M),
with q from 1.5 to 2 (Ogata & Zhuang 2006, doi:10.1016/j.tecto.2005.10.016; Helmstetter et al. 2006, doi:10.1785/0120050067). Background:
about half of the earthquakes are independent; nothing is known of the split between the two background rates.

POOLED: the maximum of the summed daily likelihoods of 100 circles around the world, 1976 to 2010-12-15, under PUBLISHED with three times
its spread (`etas_pooling`, generator 20101215). Its c is a day, not minutes: yes/no days do not resolve the first hours, and the world's
catalogues miss most earthquakes of those hours. POOLED_SD is half the spread of single circles' modes. A quarter, a half, the whole, and
the published prior were compared on 2013 to 2017 after fits to 2012; the half was best, or as good as the best.
"""

import json
from dataclasses import dataclass
from datetime import date

import numpy as np

from forecaster.errors import CorruptModel
from forecaster.models.etas.etas_detection import B_VALUE
from forecaster.models.etas.etas_intensity import PARENT_MAG
from forecaster.models.etas.etas_kernels import LN10, NAMES
from forecaster.models.interface import History
from forecaster.models.pretrained import Pretrained

PUBLISHED = np.array([np.log(0.6), np.log(0.1), np.log(0.1), 0.9, np.log(0.018), 1.0, np.log(10.0), 1.0, np.log(0.6)])
PUBLISHED_SD = np.array([0.7, 1.0, 1.0, 0.2, 0.7, 0.12, 0.7, 0.3, 0.4])
POOLED = np.array([-1.1306, -1.5427, -1.2876, 0.43, 0.0037, 1.143, 2.4862, 0.0, -1.0558])
POOLED_SD = 0.5 * np.array([0.6, 0.6, 0.5, 0.2, 0.5, 0.1, 0.5, 0.25, 0.25])
POOLED_UNTIL = date(2010, 12, 15)
PARAMETERS_FILE = "parameters.json"


@dataclass(frozen=True)
class Prior:
    """Independent normal densities. until: the last day of the data they come from, None for published figures."""

    mean: np.ndarray
    sd: np.ndarray
    until: date | None = None

    def penalty(self, vector: np.ndarray) -> tuple[float, np.ndarray]:
        """(-log density up to a constant, gradient)."""
        z = (vector - self.mean) / self.sd
        return 0.5 * float(z @ z), z / self.sd


def prior_for(history: History) -> Prior:
    """The prior of a recipe, with K for its threshold by Gutenberg-Richter. It is POOLED, or PUBLISHED where the history ends before
    POOLED's data do.
    """
    pooled = history.last_day > POOLED_UNTIL
    mean, sd, until = (POOLED, POOLED_SD, POOLED_UNTIL) if pooled else (PUBLISHED, PUBLISHED_SD, None)
    shift = np.zeros(len(mean))
    shift[2] = -LN10 * B_VALUE * (history.recipe.threshold_mag - PARENT_MAG)
    return Prior(mean + shift, sd, until)


def read_vector(world: Pretrained) -> np.ndarray:
    """float64 (9,): the parameters of a set, on the scales of `etas_kernels.NAMES`.

    Raises:
        CorruptModel: the set holds no parameters of this version.
    """
    path = world.folder / PARAMETERS_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        vector = np.array([float(content[name]) for name in NAMES])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise CorruptModel(f"{path} holds no parameters of ETAS of this version ({error!r}); run `quakecast pretrain`") from error
    if not np.isfinite(vector).all():
        raise CorruptModel(f"{path}: parameters must be finite, got {content}; run `quakecast pretrain`")
    return vector
