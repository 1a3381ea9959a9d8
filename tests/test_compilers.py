"""How Numba's compiler is used: what a compilation leaves as it was."""

import gc

import numba
import numpy as np
import pytest
from numba.core import event

from simdyn._jit import inlined, kernel, lane_loop


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


def test_a_part_that_prints_finds_its_way_to_python(capfd):
    """It has no machine code of its own, but the kernel's copy needs the same Python objects behind it."""

    @inlined
    def told(x, pair):
        print("seen", x, pair)  # noqa: T201
        return x

    @lane_loop
    def through(out):
        for i in range(out.size):
            out[i] = told(out[i], (i, 2.0)) + 1.0

    for compiled in (kernel, numba.njit):  # ours, and what a user may have that calls a function of ours

        @compiled
        def filled(out):
            through(out)

        out = np.ones(2)
        filled(out)
        assert out.tolist() == [2.0, 2.0]
        assert capfd.readouterr().out.splitlines() == ["seen 1.0 (0, 2.0)", "seen 1.0 (1, 2.0)"]


def test_parts_have_no_machine_code_of_their_own_and_kernels_keep_their_copies_to_themselves():
    @lane_loop
    def doubled(out):
        for i in range(out.size):
            out[i] *= 2.0

    @kernel
    def filled(out):
        doubled(out)

    filled(np.ones(2))
    (kind,) = filled.signatures
    part, whole = (f.overloads[kind].library for f in (doubled, filled))
    name = doubled.overloads[kind].fndesc.llvm_func_name
    assert (part._compiled, whole._compiled) == (False, True)  # into machine code
    assert whole.get_function(name).linkage.name == "internal"
