"""Gated recurrent layers that train several times faster on a CPU than `nn.GRU`, and compute the same.

Equations (Cho et al. 2014, with torch's gates r, z, n):

    r, z = sigmoid(W x + U h + b)    n = tanh(W x + b + r (U h + c))    h' = n + z (h - n)

On a CPU the steps are those of `gru_steps`; on other devices torch's own kernels run (cuDNN on a GPU).
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from arvae.fast import layers
from arvae.fast.gru_steps import Gru, Stepper, Tape, state_type

__all__ = ["Stepper", "Tape", "Weights", "gru", "keep_mask", "native_gru", "state_type"]

Weights = tuple[Tensor, Tensor, Tensor, Tensor]  # w_ih, w_hh, bias, b_n of one direction: see `gru`


def gru(
    x: Tensor,
    h0: Tensor,
    weights: tuple[Weights, ...],
    mask: Tensor | None = None,
    tape: Tape | None = None,
) -> tuple[Tensor, Tensor]:
    """One GRU layer over whole sequences, of one direction or two, or several sequences at once ("lanes").

    Args:
        x: (lanes or 1, steps, n, inputs), or symbols int64 (lanes or 1, steps, n). 1: all lanes share it.
        h0: (lanes, n, hidden), the first states.
        weights: for each direction, (w_ih, w_hh, bias, b_n). w_ih: (3 hidden, inputs); for symbols a table
            (symbols, 3 hidden) of what each adds to the gates. w_hh: (3 hidden, hidden). bias: added to the
            gates r, z, n, (3 hidden,) or (lanes, n, 3 hidden). b_n: (hidden,), the c of the equations.
            Two directions are two lanes, the second of which runs backwards in time.
        mask: factors of the output (dropout), of its shape; the recurrent states are not masked.
        tape: what a run through `Stepper` has written: then nothing is computed again (on a CPU).

    Returns:
        out: (1, steps, n, 2 hidden) with two directions, else (lanes, steps, n, hidden); and the last states
        (lanes, n, hidden). Both of the weights' type. Differentiable once.

    Raises:
        ValueError: for shapes that do not fit together.
    """
    if not _fits(x, h0, weights, mask):
        shapes = [[tuple(w.shape) for w in direction] for direction in weights]
        raise ValueError(
            f"these shapes do not fit together: x {tuple(x.shape)}, h0 {tuple(h0.shape)}, weights {shapes}"
            f"{'' if mask is None else f', mask {tuple(mask.shape)}'}; see arvae.fast.recurrent.gru"
        )
    weights = tuple((w_ih, w_hh, _per_lane(bias), b_n) for w_ih, w_hh, bias, b_n in weights)
    if x.device.type == "cpu":
        return Gru.apply(x, h0, mask, tape, *(w for direction in weights for w in direction))
    return native_gru(x, h0, weights, mask)


def _per_lane(bias: Tensor) -> Tensor:
    return bias[None, None] if bias.ndim == 1 else bias  # (lanes or 1, n or 1, 3 hidden)


def _fits(x: Tensor, h0: Tensor, weights: tuple[Weights, ...], mask: Tensor | None) -> bool:
    (lanes, n, hidden), two, symbols = h0.shape, len(weights) == 2, not x.is_floating_point()
    fits = x.ndim == 4 - symbols and x.shape[0] in (1, lanes) and x.shape[2] == n
    fits = fits and (lanes == 2 and len(x) == 1 if two else len(weights) == 1)
    out = (1, x.shape[1], n, 2 * hidden) if two else (lanes, x.shape[1], n, hidden)
    fits = fits and (mask is None or mask.shape == out)
    for w_ih, w_hh, bias, b_n in weights:
        fits = fits and w_ih.shape[1 if symbols else 0] == 3 * hidden and w_hh.shape == (3 * hidden, hidden)
        fits = fits and bias.shape in ((3 * hidden,), (lanes, n, 3 * hidden)) and b_n.shape == (hidden,)
    return fits


def native_gru(
    x: Tensor, h0: Tensor, weights: tuple[Weights, ...], mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """What `gru` computes, by torch's own kernels.

    Those take an input and its weights, not sums at the gates: the sums go in through a unit matrix.
    """
    (lanes, n, hidden), steps, two = h0.shape, x.shape[1], len(weights) == 2
    feeds = [
        (F.linear(x, w_ih) if x.is_floating_point() else F.embedding(x, w_ih)) + _per_lane(bias)[:, None]
        for w_ih, _, bias, _ in weights
    ]  # (lanes or 1, steps, n, 3 hidden) each
    gates = torch.cat([feed.transpose(0, 1).reshape(steps, -1, 3 * hidden) for feed in feeds], -1)
    units = torch.eye(gates.shape[-1], dtype=gates.dtype, device=gates.device).split(3 * hidden)
    zero = gates.new_zeros(3 * hidden)
    matrices = [part for unit, (_, w_hh, _, _) in zip(units, weights, strict=True) for part in (unit, w_hh)]
    vectors = [part for *_, b_n in weights for part in (zero, torch.cat([zero[: 2 * hidden], b_n]))]
    # One block of memory in cuDNN's order, else it copies the weights together at every call and warns.
    parts = [*matrices, *vectors]
    pieces = torch.cat([part.reshape(-1) for part in parts]).split([part.numel() for part in parts])
    pieces = [piece.view(part.shape) for piece, part in zip(pieces, parts, strict=True)]
    middle = len(matrices)
    flat = [piece for i in range(0, middle, 2) for piece in pieces[i : i + 2] + pieces[middle + i :][:2]]
    first = h0 if two else h0.reshape(1, lanes * n, hidden)
    out, last = torch._VF.gru(
        gates, first.contiguous(), flat, True, 1, 0.0, torch.is_grad_enabled(), two, False
    )
    out = out[None] if two else out.view(steps, lanes, n, hidden).transpose(0, 1)
    return out if mask is None else out * mask, last.view(lanes, n, hidden)


def keep_mask(shape: tuple[int, ...], p: float, like: Tensor, generator: torch.Generator) -> Tensor:
    """Dropout's factors: 0 with probability p, else 1 / (1 - p); of the type and on the device of `like`.

    For p = 1/2 the other factor is 2, whose binary form has a single bit set in every floating-point type:
    random words, shifted, and one "and" make the factors, a random bit each.
    """
    count, width = math.prod(shape), 8 * like.element_size()
    if p != 0.5:
        return layers.keep_factors(count, p, like.dtype, like.device, generator).view(shape)
    numbers, shifts = 64 // width, width - 1  # a word is `numbers` numbers at each of `shifts` shifts
    words = layers.random_bits(-(-count // (numbers * shifts)), 64, like.device, generator)
    two = sum(1 << (width * i + width - 2) for i in range(numbers))
    by = torch.arange(shifts, device=like.device)[:, None]
    return (words << by).bitwise_and_(two).view(like.dtype).flatten()[:count].view(shape)
