"""Bits that Numba has no words for: doubles and singles and their patterns, and which lanes of a row are marked."""

import struct

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic, overload
from numba.np.arrayobj import populate_array

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


# ------------------------------------------------------------------------------------------ single precision
#
# Numba widens integers of 32 bits to 64, which halves the lanes of a vector; these stay at 32.


@intrinsic
def _halves_of(typing_context, row):
    def lower(context, builder, signature, arguments):
        whole = context.make_array(row)(context, builder, arguments[0])
        halves = context.make_array(signature.return_type)(context, builder)
        size, bytes_each = ir.IntType(64), ir.IntType(64)(4)
        count = builder.mul(builder.extract_value(whole.shape, 0), size(2))
        data = builder.bitcast(whole.data, ir.IntType(32).as_pointer())
        populate_array(
            halves, data=data, shape=[count], strides=[bytes_each], itemsize=bytes_each, meminfo=whole.meminfo,
            parent=whole.parent,
        )  # fmt: skip
        return halves._getvalue()

    return types.Array(types.int32, 1, "C")(row), lower


@intrinsic
def _odd_half(typing_context, half):
    def lower(context, builder, signature, arguments):
        word = ir.IntType(32)
        return builder.or_(builder.lshr(arguments[0], word(1)), word(1))

    return types.int32(types.int32), lower


@intrinsic
def _single_parts(typing_context, value):
    def lower(context, builder, signature, arguments):
        word, single = ir.IntType(32), ir.FloatType()
        pattern = builder.bitcast(arguments[0], word)
        halvings = builder.sub(word(127 + 30), builder.lshr(pattern, word(23)))
        mantissa = builder.or_(builder.and_(pattern, word(0x007FFFFF)), word(0x3F800000))
        parts = builder.sitofp(halvings, single), builder.bitcast(mantissa, single)
        return context.make_tuple(builder, signature.return_type, parts)

    return types.UniTuple(types.float32, 2)(types.float32), lower


@intrinsic
def _signed_by(typing_context, value, half):
    def lower(context, builder, signature, arguments):
        word = ir.IntType(32)
        pattern = builder.xor(builder.bitcast(arguments[0], word), builder.shl(arguments[1], word(31)))
        return builder.bitcast(pattern, ir.FloatType())

    return types.float32(types.float32, types.int32), lower


def halves_of(row: np.ndarray) -> tuple[np.ndarray]:
    """A row of words (width,) seen as their halves (2 width,), the low one first, as processors with vectors have it.

    In a tuple, since compiled code without a heap returns no array by itself.
    """
    return (row.view(np.int32),)


def odd_half(half: np.int32) -> np.int32:
    """The highest 31 of 32 bits, made odd: a number in [1, 2^31)."""
    return np.int32((int(half) & 0xFFFFFFFF) >> 1 | 1)


def single_parts(value: np.float32) -> tuple[np.float32, np.float32]:
    """n and m of a positive single m 2^(30 - n) with m in [1, 2), both as singles."""
    m, e = np.frexp(np.float32(value))
    return np.float32(31 - e), np.float32(2.0) * m


def signed_by(value: np.float32, half: np.int32) -> np.float32:
    """The single `value`, or its negative if the lowest bit of `half` is set."""
    return -value if int(half) & 1 else value


@overload(halves_of, jit_options=INLINED)
def _compiled_halves_of(row):
    return lambda row: (_halves_of(row),)


@overload(odd_half, jit_options=INLINED)
def _compiled_odd_half(half):
    return lambda half: _odd_half(half)


@overload(single_parts, jit_options=INLINED)
def _compiled_single_parts(value):
    return lambda value: _single_parts(value)


@overload(signed_by, jit_options=INLINED)
def _compiled_signed_by(value, half):
    return lambda value, half: _signed_by(value, half)


# ------------------------------------------------------------------------------------------------ marked lanes


BLOCK = 32  # lanes come in multiples of this: whole vectors, several in flight, on every processor


@intrinsic
def _marked_lanes(typing_context, mark, first):
    def lower(context, builder, signature, arguments):
        row = context.make_array(signature.args[0])(context, builder, arguments[0])
        lanes = ir.VectorType(ir.IntType(8), BLOCK)
        place = builder.bitcast(builder.gep(row.data, [arguments[1]]), lanes.as_pointer())
        marked = builder.icmp_signed("!=", builder.load(place, align=1), ir.Constant(lanes, None))
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
