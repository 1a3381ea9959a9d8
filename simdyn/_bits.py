"""Bits that Numba has no words for: doubles and their patterns, and which lanes of a row are marked."""

import struct

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic, overload

from simdyn._jit import INLINED

# --------------------------------------------------------------------------------------- bits and doubles


@intrinsic
def _double_of(typing_context, bits):
    def lower(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.uint64), lower


@intrinsic
def _bits_of(typing_context, value):
    def lower(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.IntType(64))

    return types.uint64(types.float64), lower


def double_of(bits: np.uint64) -> np.float64:
    """The double whose IEEE 754 pattern is `bits`."""
    return np.float64(struct.unpack("<d", struct.pack("<Q", int(bits)))[0])


def bits_of(value: float) -> np.uint64:
    """The IEEE 754 pattern of a double."""
    return np.uint64(struct.unpack("<Q", struct.pack("<d", float(value)))[0])


@overload(double_of, jit_options=INLINED)
def _compiled_double_of(bits):
    return lambda bits: _double_of(bits)


@overload(bits_of, jit_options=INLINED)
def _compiled_bits_of(value):
    return lambda value: _bits_of(value)


# ------------------------------------------------------------------------------------------------ marked lanes


BLOCK = 32  # lanes that `marked_lanes` looks at


@intrinsic
def _marked_lanes(typing_context, mark, first):
    def lower(context, builder, signature, arguments):
        row = context.make_array(signature.args[0])(context, builder, arguments[0])
        lanes = ir.VectorType(ir.IntType(64), BLOCK)
        place = builder.bitcast(builder.gep(row.data, [arguments[1]]), lanes.as_pointer())
        marked = builder.icmp_signed("!=", builder.load(place, align=8), ir.Constant(lanes, None))
        return builder.zext(builder.bitcast(marked, ir.IntType(BLOCK)), ir.IntType(64))

    return types.int64(mark, types.intp), lower


@intrinsic
def _highest_bit(typing_context, bits):
    def lower(context, builder, signature, arguments):
        word = ir.IntType(64)
        return builder.sub(word(63), builder.ctlz(arguments[0], ir.IntType(1)(0)))

    return types.int64(types.int64), lower


def marked_lanes(mark: np.ndarray, first: int) -> int:
    """The lanes from `first` on, at most `BLOCK`, whose mark is not zero: bit n stands for lane first + n."""
    return sum(1 << n for n, one in enumerate(mark[first : first + BLOCK]) if one != 0)


def highest_bit(bits: int) -> int:
    """The number of the highest bit that is set; -1 if none is."""
    return int(bits).bit_length() - 1


@overload(marked_lanes, jit_options=INLINED)
def _compiled_marked_lanes(mark, first):
    return lambda mark, first: _marked_lanes(mark, first)


@overload(highest_bit, jit_options=INLINED)
def _compiled_highest_bit(bits):
    return lambda bits: _highest_bit(bits)
