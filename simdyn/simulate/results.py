"""What the simulations return: arrays, and the estimates that follow from them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from simdyn.estimate import (
    Estimate,
    ExponentialCheck,
    SurvivalCurve,
    exponential_check,
    kaplan_meier,
    mean_escape_time,
    restricted_mean,
)
from simdyn.model.records import InvalidInput, flag


class DivergenceWarning(UserWarning):
    """Some particles left the finite numbers."""


class InstabilityWarning(UserWarning):
    """A step so long that particles leave the minimum by overshooting."""


class HeavyTailWarning(UserWarning):
    """Moments that the noise's heavy tails make infinite, or so many draws do not show."""


@contextmanager
def _told() -> Iterator[None]:
    """What estimators refuse, as InvalidInput: they know nothing of simdyn, its own errors included."""
    try:
        yield
    except ValueError as failure:
        raise InvalidInput(str(failure)) from None


@dataclass(frozen=True, eq=False)
class Escapes:
    """First-passage times of an ensemble.

    Attributes
    ----------
    steps : int64 (particles,). First step (the first update is 1) after which the particle was at or beyond the boundary,
        or between whose ends the Brownian bridge put it beyond; `max_steps` where censored; for a diverged particle the
        step at which it was found.
    censored : bool (particles,). Still inside after `max_steps`.
    diverged : bool (particles,). Found non-finite; neither escaped nor censored.
    time_step : continuous time per step, dt or the learning rate.
    bridged : whether the Brownian-bridge correction was applied.
    """

    steps: np.ndarray
    censored: np.ndarray
    diverged: np.ndarray
    time_step: float
    max_steps: int
    bridged: bool

    @property
    def times(self) -> np.ndarray:
        """Steps in continuous time, float (particles,)."""
        return self.steps * self.time_step

    @property
    def particle_steps(self) -> int:
        """Work done: steps summed over particles."""
        return int(self.steps.sum())

    def mean(self, level: float = 0.95, diverged_as_escaped: bool | None = None) -> Estimate:
        """Mean escape time in steps, with the interval that the times allow (`simdyn.estimate.mean_escape_time`).

        Where the times may be exponential: total time at risk over escapes, with its chi-square interval. Where they are not
        and all particles escaped: the sample mean, with an interval that assumes no law. Where they are not and some are
        censored, the mean depends on what happens after `max_steps`: if that is 10 % of it or less, it is extrapolated, with a
        NotExponentialWarning; if more, InvalidInput tells what is known. Where the law is merely assumed, because fewer than 30
        escaped or the evidence against it is weak, a NotExponentialWarning tells how much lies beyond `max_steps`.

        Raises InvalidInput also where no particle escaped, and where particles diverged, unless `diverged_as_escaped` says
        how to count them: True, as escapes at the step they were found; False, as still inside then.
        """
        unfinished = self._unfinished(diverged_as_escaped)
        with _told():
            return mean_escape_time(self.steps, unfinished, level=level, stacklevel=3)

    def restricted_mean(self, level: float = 0.95, diverged_as_escaped: bool | None = None) -> Estimate:
        """Mean of the lesser of the escape time and `max_steps`, in steps: what is known of the mean whatever the law.

        `diverged_as_escaped`: as in `mean`. Raises InvalidInput for a single particle.
        """
        unfinished = self._unfinished(diverged_as_escaped)
        with _told():
            return restricted_mean(self.steps, unfinished, level=level)

    def survival(self, level: float = 0.95, diverged_as_escaped: bool | None = None) -> SurvivalCurve:
        """Kaplan-Meier estimate of the share still inside after each step."""
        unfinished = self._unfinished(diverged_as_escaped)
        with _told():
            return kaplan_meier(self.steps, unfinished, level=level)

    def exponential_check(self, **options: Any) -> ExponentialCheck:
        """Whether the escape times are exponentially distributed, as a rate needs them to be."""
        unfinished = self._unfinished(None)
        with _told():
            return exponential_check(self.steps, unfinished, **options)

    def _unfinished(self, diverged_as_escaped: bool | None) -> np.ndarray:
        if diverged_as_escaped is None and self.diverged.any():
            raise InvalidInput(
                f"{int(self.diverged.sum())} of {self.steps.size} particles diverged: say diverged_as_escaped=True or False,"
                " or take a smaller step"
            )
        counted = diverged_as_escaped is not None and flag("diverged_as_escaped", diverged_as_escaped)
        return self.censored if counted else self.censored | self.diverged


@dataclass(frozen=True, eq=False)
class Spread:
    """Moments of the displacement from the start.

    Attributes
    ----------
    record_at : int64 (records,). Steps.
    mean, msd, stderr : float (records, d). Mean displacement, mean squared displacement, its standard error.
    mean_stderr : float (records, d). Standard error of `mean`. Of one particle both are nan: nothing is known of its scatter.
        Of few both are rough: within 1.96 of them the msd of normal displacements lies in 87 % of cases with 20 particles,
        93 % with 100, 95 % with 1000.
        What the noise's tails make infinite is nan: of kicks with moments below order p (see `tail_index`) `stderr` for p up to
        4, `msd` and `mean_stderr` up to 2, `mean` up to 1. Above 2 `msd` then comes near its value as particles^-(1 - 2/p) only,
        from below in most ensembles.
    diverged : bool (particles,). Non-finite at the last record; then the moments are not finite either.
    """

    record_at: np.ndarray
    mean: np.ndarray
    mean_stderr: np.ndarray
    msd: np.ndarray
    stderr: np.ndarray
    diverged: np.ndarray
    time_step: float
    particles: int

    @property
    def times(self) -> np.ndarray:
        """`record_at` in continuous time, float (records,)."""
        return self.record_at * self.time_step

    @property
    def particle_steps(self) -> int:
        """Work done: steps summed over particles."""
        return int(self.record_at[-1]) * self.particles


@dataclass(frozen=True, eq=False)
class Densities:
    """Histograms of one coordinate at chosen steps.

    Attributes
    ----------
    record_at : int64 (records,). edges : float (bins + 1,).
    counts : int64 (records, bins); below, above : int64 (records,), what lies outside the edges (non-finite counts as above).
    diverged : bool (particles,). Non-finite at the last record.
    """

    record_at: np.ndarray
    edges: np.ndarray
    counts: np.ndarray
    below: np.ndarray
    above: np.ndarray
    diverged: np.ndarray
    time_step: float
    particles: int

    @property
    def times(self) -> np.ndarray:
        """`record_at` in continuous time, float (records,)."""
        return self.record_at * self.time_step

    @property
    def density(self) -> np.ndarray:
        """Probability density, float (records, bins)."""
        return self.counts / (self.particles * np.diff(self.edges))

    @property
    def stderr(self) -> np.ndarray:
        """Standard error of `density`, float (records, bins): with k of n particles counted in a bin,

            sqrt(p (1 - p) / (n + 2)) / width,      p = (k + 1/2) / (n + 1)

        the standard deviation of the share under Jeffreys' prior. At some hundred counts it is the binomial one; an empty
        bin has 0.7/n in place of zero, for a share of that size is likely to have shown nobody.
        """
        share = (self.counts + 0.5) / (self.particles + 1.0)
        return np.sqrt(share * (1.0 - share) / (self.particles + 2.0)) / np.diff(self.edges)

    @property
    def particle_steps(self) -> int:
        """Work done: steps summed over particles."""
        return int(self.record_at[-1]) * self.particles
