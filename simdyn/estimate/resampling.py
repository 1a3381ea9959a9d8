"""An interval for any statistic, from the samples alone."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from simdyn.estimate._arguments import check_level, vector
from simdyn.estimate.intervals import Estimate

# BCa needs the statistic of all n samples-less-one, n^2 numbers; beyond this n percentiles are as good.
LARGEST_CORRECTED = 4096
# Numbers held at once: 32 MB of them.
BATCH_ENTRIES = 2**22


def bootstrap(
    statistic: Callable[..., Any],
    samples: ArrayLike,
    resamples: int = 2000,
    seed: int = 1,
    level: float = 0.95,
) -> Estimate:
    """Bootstrap interval of a statistic of independent samples.

    statistic: takes a 1-D array and returns a number; if it has a parameter `axis` (numpy's functions do), it
    is called on many resamples at once. samples: (n,), n >= 2. The same seed gives the same interval.

    Bias-corrected and accelerated (BCa) up to 4096 samples, plain percentiles above, where the correction,
    of relative order 1/sqrt(n), no longer matters and its jackknife would cost n^2; also percentiles where
    BCa is undefined (a statistic that does not vary).

    Validity: a statistic that varies smoothly with the samples (means, variances, quantiles; not extremes).

    Raises ValueError: samples not 1-D, not finite or fewer than two; resamples < 1.

    Source: Efron, J. Am. Stat. Assoc. 82 (1987) 171, as implemented by scipy.stats.bootstrap.

    >>> interval = bootstrap(np.median, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])
    >>> interval.value, interval.contains(4.0)
    (4.0, True)
    """
    from scipy import stats  # here, because it takes longer to import than the rest together

    check_level(level)
    values = vector("samples", samples)
    if len(values) < 2:
        raise ValueError("samples must hold at least two values")
    if resamples < 1:
        raise ValueError(f"resamples must be at least 1, not {resamples!r}")
    # Where nothing varies BCa divides zero by zero; percentiles answer below.
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        result = stats.bootstrap(
            (values,),
            statistic,
            n_resamples=resamples,
            batch=max(1, BATCH_ENTRIES // len(values)),
            confidence_level=level,
            method="BCa" if len(values) <= LARGEST_CORRECTED else "percentile",
            rng=np.random.default_rng(seed),
        )
    ends = np.array(result.confidence_interval)
    if not np.isfinite(ends).all():
        ends = np.quantile(result.bootstrap_distribution, (0.5 * (1.0 - level), 0.5 * (1.0 + level)))
    return Estimate(float(statistic(values)), float(ends[0]), float(ends[1]), level)
