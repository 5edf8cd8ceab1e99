"""The pointwise part of a GRU's steps on a CPU, compiled by numba: one pass over memory instead of a dozen.

torch has no fused GRU step for a CPU; done with its operators, what lies between two matrix products takes
longer than the products. A kernel is compiled for a number of hidden units, which must be a constant: only
then does the compiler see that a row's gates do not overlap, and vectorise. The first use in a process
compiles, for a second or two.

numba has no bfloat16: such tensors come in as their bits, uint16, are widened to float32, and rounded to the
nearest on the way out, as torch does.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numba import njit, types
from numba.extending import overload
from torch import Tensor

_ONE, _TWO = np.float32(1), np.float32(2)
_F32, _U32, _16, _23 = np.float32, np.uint32, np.uint32(16), np.uint32(23)
# exp(x) = 2^k exp(f): adding 1.5 * 2^23 rounds x / log 2 to a whole k, which lands in the lowest bits of the
# sum; log 2 is split in two, so that k * log 2 is exact; Taylor's series for |f| <= log(2) / 2.
_ROUNDER, _PER_LOG_2 = np.float32(1.5 * 2**23), np.float32(1 / math.log(2))
_LOG_2_HIGH, _LOG_2_LOW = np.float32(0.693359375), np.float32(math.log(2) - 0.693359375)
_C2, _C3, _C4, _C5, _C6, _C7 = (np.float32(1 / math.factorial(power)) for power in range(2, 8))
_LIMIT = np.float32(87)  # exp of more would overflow


def _wide(stored: Any) -> Any:
    """A stored number as the kernels compute with it; `_narrow` is the way back."""


@overload(_wide)
def _(stored) -> Callable:
    if stored == types.uint16:
        return lambda stored: _U32(_U32(stored) << _16).view(_F32)
    return lambda stored: stored


def _narrow(number: Any, like: Any) -> Any:
    """A number as it is stored in an array of the type of `like`."""


@overload(_narrow)
def _(number, like) -> Callable:
    if like.dtype != types.uint16:
        return lambda number, like: number

    def nearest(number, like):
        bits = _F32(number).view(_U32)  # to the nearest, to the even one of two
        return np.uint16((bits + _U32(0x7FFF) + ((bits >> _16) & _U32(1))) >> _16)

    return nearest


def _exp(x: Any) -> Any:
    """e to the x."""


@overload(_exp)
def _(x) -> Callable:
    if x == types.float64:
        return lambda x: math.exp(min(x, 700.0))

    def exp(x):
        x = _LIMIT if x > _LIMIT else x
        x = -_LIMIT if x < -_LIMIT else x
        rounded = x * _PER_LOG_2 + _ROUNDER
        k = rounded - _ROUNDER
        f = (x - k * _LOG_2_HIGH) - k * _LOG_2_LOW
        series = ((((((_C7 * f + _C6) * f + _C5) * f + _C4) * f + _C3) * f + _C2) * f + _ONE) * f + _ONE
        return _U32(_F32(series).view(_U32) + _U32(_F32(rounded).view(_U32) << _23)).view(_F32)

    return exp


# Fused multiply-adds are allowed, nothing that would change what NaN and infinity do. Not cached on disk:
# numba has no lock that keeps two processes from writing each other the wrong code into the same file.
_compiled = njit(fastmath={"contract"}, error_model="numpy")


def memory(tensor: Tensor) -> np.ndarray:
    """What the kernels take: the memory of a tensor on the CPU; bfloat16 as uint16."""
    return (tensor.view(torch.uint16) if tensor.dtype == torch.bfloat16 else tensor).detach().numpy()


@functools.cache
def forward(hidden: int) -> Callable:
    """The kernel of one step, given the products with the recurrent weights and with the input's.

        r, z = sigmoid(product + inputs + bias)    n = tanh(inputs + bias + r (product + b_n))
        h' = n + z (h - n)

    Its arguments are `memory`, contiguous, and all but rows and h of one type (bfloat16, float32, float64):
        product: (n, 3 hidden), U h in the order [n | r | z].
        inputs: (n, 3 hidden), [r | z | n]; or a table (symbols, 3 hidden) of which row i takes row rows[i].
        rows: (n,) int64, or None.
        bias: (n or 1, 3 hidden), [r | z | n]. b_n: (hidden,).
        h: (n, hidden), float32 (float64 if all is), changed to h'.
        gates: (n, 3 hidden), written: what `backward` wants, [U_n h + b_n | r | z].
        candidate, after: (n, hidden), written: n and the rounded h'.
    """
    # Unsigned indices: for signed ones numba handles Python's negative indices, and nothing vectorises.
    one, two = np.uint64(hidden), np.uint64(2 * hidden)

    @_compiled
    def step(
        product: Any, inputs: Any, rows: Any, bias: Any, b_n: Any, h: Any, gates: Any, candidate: Any,
        after: Any,
    ) -> None:  # fmt: skip
        for row in range(h.shape[0]):
            i = np.uint64(row)
            source = i if rows is None else np.uint64(rows[i])
            own = i if bias.shape[0] > 1 else np.uint64(0)
            for column in range(hidden):
                k = np.uint64(column)
                inner = _wide(product[i, k]) + _wide(b_n[k])
                r = _wide(product[i, one + k]) + (_wide(inputs[source, k]) + _wide(bias[own, k]))
                z = _wide(product[i, two + k]) + (_wide(inputs[source, one + k]) + _wide(bias[own, one + k]))
                n = _wide(inputs[source, two + k]) + _wide(bias[own, two + k])
                r, z = _ONE / (_ONE + _exp(-r)), _ONE / (_ONE + _exp(-z))
                n = _ONE - _TWO / (_ONE + _exp(_TWO * (n + r * inner)))
                state = n + z * (h[i, k] - n)
                gates[i, k] = _narrow(inner, gates)
                gates[i, one + k] = _narrow(r, gates)
                gates[i, two + k] = _narrow(z, gates)
                candidate[i, k] = _narrow(n, gates)
                h[i, k] = state
                after[i, k] = _narrow(state, gates)

    return step


@functools.cache
def backward(hidden: int) -> Callable:
    """The kernel that goes back through one step, up to the products.

    Its arguments:
        gates, candidate, after: as `forward` left them.
        incoming: (n, at least offset + hidden), the gradient of the step's output, whose columns from
            `offset` (uint64) on are h' times the same columns of factors (None: times 1). None: no gradient.
        product: (n, hidden), what the step after this one in time adds to the gradient of h' by its weights.
        d_h: (n, hidden), wide: what it adds besides; becomes what this step adds to the gradient of h.
        d_gates: (n, 4 hidden), written: gradients of [U_n h + b_n | r | z | W_n x] before the sigmoids.
        sums: (4 hidden,), wide: the sums of d_gates over n are added.
    """
    one, two, three = (np.uint64(block * hidden) for block in (1, 2, 3))

    @_compiled
    def step(
        gates: Any, candidate: Any, after: Any, incoming: Any, factors: Any, offset: Any, product: Any,
        d_h: Any, d_gates: Any, sums: Any,
    ) -> None:  # fmt: skip
        for row in range(d_h.shape[0]):
            i = np.uint64(row)
            for column in range(hidden):
                k = np.uint64(column)
                d = d_h[i, k] + _wide(product[i, k])
                if incoming is not None:
                    if factors is None:
                        d += _wide(incoming[i, offset + k])
                    else:
                        d += _wide(incoming[i, offset + k]) * _wide(factors[i, offset + k])
                inner, r = _wide(gates[i, k]), _wide(gates[i, one + k])
                z, n = _wide(gates[i, two + k]), _wide(candidate[i, k])
                u = d - d * z
                d_n = u * (_ONE - n * n)
                d_inner = d_n * r
                d_r = d_n * inner * r * (_ONE - r)
                d_z = (_wide(after[i, k]) - n) * u
                d_h[i, k] = d * z
                d_gates[i, k] = _narrow(d_inner, gates)
                d_gates[i, one + k] = _narrow(d_r, gates)
                d_gates[i, two + k] = _narrow(d_z, gates)
                d_gates[i, three + k] = _narrow(d_n, gates)
                sums[k] += d_inner
                sums[one + k] += d_r
                sums[two + k] += d_z
                sums[three + k] += d_n

    return step
