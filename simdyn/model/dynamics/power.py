"""x^p by arithmetic alone, so that it vectorises: a call of the system's pow would leave the lane loop scalar."""

import numpy as np

from simdyn._bits import bits_of, double_of
from simdyn._jit import generic

_U = np.uint64
_52 = _U(52)
_ROOT_HALF = 0x3FE6A09E667F3BCD  # the pattern of sqrt(1/2)
_SHIFT, _LOWEST = _U(0x3FF0000000000000 - _ROOT_HALF), _U(_ROOT_HALF)
_MANTISSA = _U(0x000FFFFFFFFFFFFF)
_TWO_52 = _U(0x4330000000000000)  # the pattern of 2^52
_TWO_52_BIAS = 4503599627370496.0 + 1023.0
_ROUND = 6755399441055744.0  # 1.5 2^52: what is added to it and taken off again becomes whole
_LOG2_E = 1.4426950408889634
_LN_2 = 0.6931471805599453


@generic
def power(x, p):
    """x^p for x >= 0 and -1 <= p <= 1, relative error below (4 + |p log2 x|) 2^-53.

    x = m 2^e with m in [sqrt(1/2), sqrt(2)): ln m = 2 atanh((m - 1)/(m + 1)), and 2^y = 2^n exp((y - n) ln 2) with n the
    nearest whole number, both by their Taylor series; even and odd terms apart, since two short chains are done sooner than
    one of twice the length. Of x = 0 it makes 2^(-1023 p), as good as zero for p >= 1/8; what is not finite becomes nan,
    so that divergence is seen.
    """


@power.otherwise
def power_by_series(x, p):
    pattern = bits_of(x) + _SHIFT
    e = double_of((pattern >> _52) | _TWO_52) - _TWO_52_BIAS
    m = double_of((pattern & _MANTISSA) + _LOWEST)
    s = (m - 1.0) / (m + 1.0)
    y = s * s  # at most 0.0295: ten terms leave 2e-17
    yy = y * y
    even = 1.0 / 17.0
    odd = 1.0 / 19.0
    even = even * yy + 1.0 / 13.0
    odd = odd * yy + 1.0 / 15.0
    even = even * yy + 1.0 / 9.0
    odd = odd * yy + 1.0 / 11.0
    even = even * yy + 1.0 / 5.0
    odd = odd * yy + 1.0 / 7.0
    even = even * yy + 1.0
    odd = odd * yy + 1.0 / 3.0
    q = odd * y + even
    small = 2.0 * p * s * q  # p ln m
    large = p * e
    n = (large + small * _LOG2_E + _ROUND) - _ROUND
    z = (large - n) * _LN_2 + small  # at most 0.347: fourteen terms leave 4e-18
    zz = z * z
    even = 1.0 / 479001600.0
    odd = 1.0 / 6227020800.0
    even = even * zz + 1.0 / 3628800.0
    odd = odd * zz + 1.0 / 39916800.0
    even = even * zz + 1.0 / 40320.0
    odd = odd * zz + 1.0 / 362880.0
    even = even * zz + 1.0 / 720.0
    odd = odd * zz + 1.0 / 5040.0
    even = even * zz + 1.0 / 24.0
    odd = odd * zz + 1.0 / 120.0
    even = even * zz + 0.5
    odd = odd * zz + 1.0 / 6.0
    even = even * zz + 1.0
    odd = odd * zz + 1.0
    f = odd * z + even
    scale = double_of(bits_of(n + _TWO_52_BIAS) << _52)  # 2^n: n + 1023 stands in the lowest bits of 2^52 + n + 1023
    return f * scale + (x - x)
