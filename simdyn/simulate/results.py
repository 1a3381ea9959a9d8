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
    mean_lifetime,
)
from simdyn.model.records import InvalidInput, flag


class DivergenceWarning(UserWarning):
    """Some particles left the finite numbers."""


class InstabilityWarning(UserWarning):
    """A step so long that particles leave the minimum by overshooting."""


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
        """Mean escape time in steps: the censored-exponential maximum-likelihood estimate with its chi-square interval.

        Diverged particles make it undefined, so they raise InvalidInput, unless `diverged_as_escaped` says how to count
        them: True, as escapes at the step they were found; False, as still inside then.
        """
        unfinished = self._unfinished(diverged_as_escaped)
        with _told():
            return mean_lifetime(self.steps, unfinished, level=level)

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
    mean_stderr : float (records, d). Standard error of `mean`.
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
        """Binomial standard error of `density`, float (records, bins)."""
        share = self.counts / self.particles
        return np.sqrt(share * (1.0 - share) / self.particles) / np.diff(self.edges)

    @property
    def particle_steps(self) -> int:
        """Work done: steps summed over particles."""
        return int(self.record_at[-1]) * self.particles
