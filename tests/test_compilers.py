"""How Numba's compiler is used: what a compilation leaves as it was."""

import gc

import numba
import pytest
from numba.core import event

from simdyn._jit import inlined, kernel


class Seen(event.Listener):
    """Whether the collector worked while functions were compiled."""

    def __init__(self):
        self.collecting = []

    def on_start(self, _):
        self.collecting.append(gc.isenabled())

    def on_end(self, _):
        self.collecting.append(gc.isenabled())


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_rests_while_a_kernel_compiles_and_is_then_as_it_was(enabled):
    @inlined
    def doubled(x):
        return 2.0 * x

    @kernel
    def filled(out):
        out[0] = doubled(out[0])

    was, seen = gc.isenabled(), Seen()
    (gc.enable if enabled else gc.disable)()
    try:
        with event.install_listener("numba:compile", seen):
            filled.compile((numba.float64[::1],))
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if was else gc.disable)()
    assert len(seen.collecting) == 4 and not any(seen.collecting[1:3]), "two functions, one within the other"


def test_the_collector_is_as_it_was_after_what_cannot_be_compiled():
    @kernel
    def wrong(out):
        out[0] = "a word".nothing

    with pytest.raises(numba.core.errors.NumbaError):
        wrong.compile((numba.float64[::1],))
    assert gc.isenabled()
