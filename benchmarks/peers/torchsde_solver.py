"""torchsde: its Euler steps of the overdamped equation, with the Brownian interval told its step, without which it is a hundred
times slower."""

import torch
import torchsde

from benchmarks.contenders import Contender, Outcome, spread_outcome
from benchmarks.peers.torch_vectors import on_one_thread_and_on_all
from benchmarks.works import OVERDAMPED, Problem, Work

PACKAGES = ("torchsde", "torch")


class _Well:
    noise_type, sde_type = "diagonal", "ito"

    def __init__(self, variance: float) -> None:
        self._root = variance**0.5

    def f(self, t, x):
        return -4.0 * x * (x * x - 1.0)

    def g(self, t, x):
        return torch.full_like(x, self._root)


def contenders(work: Work) -> list[Contender]:
    if work.problem != OVERDAMPED:
        return []
    particles = min(work.particles, 16384)
    return on_one_thread_and_on_all("torchsde", particles, lambda seed: spread(work.problem, particles, seed))


@torch.inference_mode()
def spread(problem: Problem, particles: int, seed: int) -> Outcome:
    dt = problem.dynamics.dt
    until = problem.steps * dt
    path = torchsde.BrownianInterval(t0=0.0, t1=until, size=(particles, 1), dtype=torch.float64, entropy=seed, dt=dt)
    start = torch.full((particles, 1), problem.start[0], dtype=torch.float64)
    times = torch.tensor([0.0, until], dtype=torch.float64)
    x = torchsde.sdeint(_Well(problem.noise.variance), start, times, bm=path, method="euler", dt=dt)
    return spread_outcome(problem, ((x[-1] - start) ** 2)[:, 0].numpy())
