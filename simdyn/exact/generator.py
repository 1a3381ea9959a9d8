"""The generator of overdamped motion on a grid of one or two dimensions: rates of jumping from cell to cell.

Finite volumes with the fluxes of Scharfetter and Gummel (IEEE Trans. Electron Devices 16, 64, 1969; Chang and Cooper,
J. Comput. Phys. 6, 1, 1970): every rate is positive, what leaves one cell arrives in the next, and where the motion is
reversible its stationary law is the exact one. A straight absorbing wall cuts through cells: the flux to it is taken
over the distance along the axis to where it is (Gibou, Fedkiw, Cheng and Kang, J. Comput. Phys. 176, 205, 2002), of
second order in the cell.
"""

from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage, sparse

from simdyn.exact.line import BoolArray, FloatArray
from simdyn.model.boundaries import BeyondPlane
from simdyn.model.landscapes import dimension, frame, value
from simdyn.model.noise import settle_gaussian, variance
from simdyn.model.records import InvalidInput

LARGEST = 400_000  # cells


class Wall(NamedTuple):
    """normal . y >= offset absorbs, in the landscape's own frame."""

    normal: FloatArray
    offset: float

    def gap(self, points: FloatArray) -> FloatArray:
        """How far points (d, ...) are from the wall, in units of |normal|; negative beyond."""
        return self.offset - np.tensordot(self.normal, points, 1)


class Generator(NamedTuple):
    """d tau/dt = rates tau for functions on the cells, dP/dt = rates^T P for probabilities.

    axes: centres per dimension, in the landscape's own frame (below rotations); alive: which cells are on this side of
    the wall, of the grid's shape; rates: (N, N) over the alive ones; absorbed: (N,) rate of leaving through the wall;
    potential: (N,) -log of the stationary law, None where there is no detailed balance.
    """

    axes: tuple[FloatArray, ...]
    alive: BoolArray
    rates: sparse.csr_array
    absorbed: FloatArray
    potential: FloatArray | None

    @property
    def points(self) -> FloatArray:
        """Centres of the alive cells, (d, N)."""
        return np.array([axis[self.alive] for axis in np.meshgrid(*self.axes, indexing="ij")])

    def field(self, values: FloatArray) -> FloatArray:
        """Values of the alive cells, (N,), on the grid; 0 beyond the wall."""
        spread = np.zeros(self.alive.shape)
        spread[self.alive] = values
        return spread


def generator(
    landscape: Any, noise: Any, axes: tuple[FloatArray, ...], wall: Wall | None = None, convention: float = 0.0
) -> Generator:
    """The generator on a grid of equally spaced centres per axis, reflecting at the grid's ends.

        dP/dt = sum_j d_j (P d_j L + D_j^alpha d_j (D_j^{1-alpha} P))

    landscape, of one or two dimensions, and noise (2D per unit time, its diagonal): in their own frame, below
    rotations. convention: alpha, 0 Ito, 1/2 Stratonovich, 1 Klimontovich. Standing: [P] eq. 2 for alpha = 0.
    Raises InvalidInput for other dimensions, too many cells, and where the noise vanishes.

    >>> from simdyn.model.landscapes import Quadratic
    >>> from simdyn.model.noise import ConstantNoise
    >>> found = generator(Quadratic((1.0,)), ConstantNoise(2.0), (np.linspace(-5.0, 5.0, 101),))
    >>> bool(np.max(np.abs(found.rates.sum(1))) < 1e-10 and found.rates.min() < 0.0)
    True
    """
    inner, _ = frame(landscape)
    if dimension(inner) not in (1, 2) or len(axes) != dimension(inner):
        raise InvalidInput("a generator is for landscapes of one or two dimensions, with an axis of cells for each")
    shape = tuple(len(axis) for axis in axes)
    if np.prod(shape) > LARGEST or min(shape) < 3:
        raise InvalidInput(f"a grid has from 3 cells an axis to {LARGEST} in all, not {' x '.join(map(str, shape))}")
    points = np.array(np.meshgrid(*axes, indexing="ij"))
    alive = np.ones(shape, bool) if wall is None else wall.gap(points) > 0.0
    boundary = None if wall is None else BeyondPlane(tuple(wall.normal), wall.offset)
    settled = settle_gaussian(noise, inner, boundary)
    heights = heights_at(inner, points)
    absorbed = np.zeros(shape)
    number = np.full(shape, -1)
    number[alive] = np.arange(np.count_nonzero(alive))
    entries: list[tuple[Any, Any, FloatArray]] = []
    rises = []
    for j in range(len(axes)):
        spacing = axes[j][1] - axes[j][0]
        first, second = _pairs(j, len(axes))
        spread = diffusion_at(inner, settled, points, j)
        between = diffusion_at(
            inner, settled, (points[(slice(None), *first)] + points[(slice(None), *second)]) / 2.0, j
        )
        rise = np.diff(heights, axis=j) / between + (1.0 - convention) * np.diff(np.log(spread), axis=j)
        rises.append(rise)
        for here, there, climb in ((first, second, rise), (second, first, -rise)):
            both = alive[here] & alive[there]
            rate = between / spacing**2 * bernoulli(climb)
            entries.append((number[here][both], number[there][both], rate[both]))
            if wall is not None:
                out = alive[here] & ~alive[there]
                gap, beyond = wall.gap(points[(slice(None), *here)])[out], wall.gap(points[(slice(None), *there)])[out]
                share = np.maximum(gap / (gap - beyond), 1e-3)
                flux = between[out] / (share * spacing**2) * bernoulli(share * climb[out])
                view = absorbed[here]
                view[out] += flux
    origin, target, rate = (np.concatenate(parts) for parts in zip(*entries, strict=True))
    size = int(np.count_nonzero(alive))
    jumps = sparse.csr_array((rate, (origin, target)), shape=(size, size))
    lost = absorbed[alive]
    rates = sparse.csr_array(jumps - sparse.diags_array(np.asarray(jumps.sum(1)).ravel() + lost))
    potential = _potential(rises)
    return Generator(axes, alive, rates, lost, None if potential is None else potential[alive])


def _pairs(j: int, size: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    first, second = [slice(None)] * size, [slice(None)] * size
    first[j], second[j] = slice(None, -1), slice(1, None)
    return tuple(first), tuple(second)


def _potential(rises: list[FloatArray]) -> FloatArray | None:
    """The potential whose differences are `rises` along the axes; None where a tour around a cell does not close."""
    if len(rises) == 1:
        return np.concatenate([[0.0], np.cumsum(rises[0])])
    down, across = rises
    tour = down[:, :-1] + across[1:, :] - down[:, 1:] - across[:-1, :]
    # Rounding of the heights is all that a gradient's tour may leave.
    if np.max(np.abs(tour)) > 1e-9 * (1.0 + np.max(np.abs(down)) + np.max(np.abs(across))):
        return None
    first = np.concatenate([np.zeros((1, 1)), np.cumsum(down[:, :1], axis=0)])
    return first + np.concatenate([np.zeros((len(first), 1)), np.cumsum(across, axis=1)], axis=1)


def bernoulli(rise: FloatArray) -> FloatArray:
    """x/(e^x - 1), 1 at x = 0."""
    small = np.abs(rise) < 1e-8
    safe = np.where(small, 1.0, np.minimum(rise, 700.0))
    return np.where(small, 1.0 - rise / 2.0, safe / np.expm1(safe))


def heights_at(inner: Any, points: FloatArray) -> FloatArray:
    """L at points (d, ...)."""
    x = points.reshape(len(points), -1)
    return np.array([value(inner, x, i) for i in range(x.shape[1])], dtype=float).reshape(points.shape[1:])


def diffusion_at(inner: Any, settled: Any, points: FloatArray, j: int) -> FloatArray:
    """D_j, half the noise's variance, at points (d, ...). Raises InvalidInput where it vanishes or is not finite."""
    x = points.reshape(len(points), -1)
    spread = np.array([variance(settled, inner, x, j, i) for i in range(x.shape[1])], dtype=float) / 2.0
    if not np.all((spread > 0.0) & np.isfinite(spread)):
        raise InvalidInput("the noise vanishes or is not finite on the grid: give it a floor, or hold it constant")
    return spread.reshape(points.shape[1:])


def basin(found: Generator, potential: FloatArray, start: int) -> tuple[BoolArray, float]:
    """The cells, (N,), around cell `start` from which the way to the wall leads over the barrier, and its height.

    All cells, and the start's own height, where there is none: the lowest level at which start and wall are connected.
    """
    grid = np.where(found.alive, found.field(potential), np.inf)
    index = tuple(np.argwhere(found.alive)[start])
    exits = found.field(found.absorbed) > 0.0
    low, high = float(potential[start]), float(np.max(potential)) + 1.0
    best = None
    for _ in range(60):
        middle = (low + high) / 2.0
        labels, _ = ndimage.label(grid <= middle)
        component = labels == labels[index]
        if labels[index] == 0 or np.any(component & exits):
            high = middle
        else:
            low, best = middle, component
    cells = np.ones(len(potential), bool) if best is None else best[found.alive]
    return cells, low


def point_law(axis: FloatArray, spot: float) -> FloatArray:
    """A point's probability over the two cells around it, so that its mean is kept."""
    place = (spot - axis[0]) / (axis[1] - axis[0])
    cell = int(np.clip(np.floor(place), 0, len(axis) - 2))
    share = float(np.clip(place - cell, 0.0, 1.0))
    law = np.zeros(len(axis))
    law[cell], law[cell + 1] = 1.0 - share, share
    return law
