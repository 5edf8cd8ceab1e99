"""Gated recurrent layers that train several times faster on a CPU than `nn.GRU`, and compute the same.

A step of `nn.GRU` on a CPU is some twenty small autograd operations, half of its time goes into `tanh`, and
every step adds its own little weight gradient. Here a whole layer is one autograd function: forward and
backward are loops over preallocated buffers, weight gradients are a few large matrix products, tanh is
written as a sigmoid, and what a step works on stays in the processor's cache. In bfloat16 the operands of
matrix products are bfloat16 while the state that is carried from step to step stays float32.

On other devices `gru` hands the work to torch's own kernels (cuDNN on a GPU).

Equations (Cho et al. 2014, with torch's order of gates r, z, n):
    r, z = sigmoid(W x + U h + b);  n = tanh(W x + b + r (U h + c));  h' = n + z (h - n)
"""

import dataclasses
import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

_ROWS_A_PRODUCT = 1024  # rows gathered for one product of the weight gradient: large enough, still in cache

_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input  # gradient * y * (1 - y), written in place
_tanh_backward = torch.ops.aten.tanh_backward.grad_input  # gradient * (1 - y^2), written in place

Weights = tuple[Tensor, Tensor, Tensor, Tensor]  # w_ih, w_hh, bias, b_n of one direction: see `gru`


def gru(
    x: Tensor,
    h0: Tensor,
    weights: tuple[Weights, ...],
    mask: Tensor | None = None,
    tape: "Tape | None" = None,
) -> tuple[Tensor, Tensor]:
    """One GRU layer over whole sequences, of one direction or two, or several sequences at once ("lanes").

    Args:
        x: (lanes or 1, steps, n, inputs), or int64 symbols (lanes or 1, steps, n). With 1, all lanes share it.
        h0: (lanes, n, hidden), the first states.
        weights: for each direction, (w_ih, w_hh, bias, b_n). w_ih: (3 hidden, inputs); for symbols a table
            (symbols, 3 hidden) of what each adds to the gates. w_hh: (3 hidden, hidden). bias: added to the
            gates, (3 hidden,) or (lanes, n, 3 hidden). b_n: (hidden,), the recurrent bias inside r (...).
            Two directions are two lanes, the second of which runs backwards in time.
        mask: factors of the output (dropout), of its shape; the recurrent states are not masked.
        tape: what a run through `Stepper` has stored: then nothing is computed again.

    Returns:
        out: (1, steps, n, 2 hidden) with two directions, else (lanes, steps, n, hidden); and the last states
        (lanes, n, hidden). Both of the weights' type.
    """
    weights = tuple((w_ih, w_hh, _per_lane(bias), b_n) for w_ih, w_hh, bias, b_n in weights)
    if x.device.type == "cpu":
        return _Gru.apply(x, h0, mask, tape, *(w for group in weights for w in group))
    return native_gru(x, h0, weights, mask)


def _per_lane(bias: Tensor) -> Tensor:
    return bias[None, None] if bias.ndim == 1 else bias  # (lanes or 1, n or 1, 3 hidden)


@dataclasses.dataclass(frozen=True)
class Tape:
    """What the backward pass needs of every step, written by the forward pass.

    gates: (lanes, steps, n, 3 hidden) as [U_n h + c | r | z]; candidates: (lanes, steps, n, hidden), n of the
    equations; states: (lanes, steps + 1, n, hidden), from the first to the last in time.
    """

    gates: Tensor
    candidates: Tensor
    states: Tensor

    @staticmethod
    def empty(like: Tensor, lanes: int, steps: int, n: int, hidden: int) -> "Tape":
        """Room for all, of the type of `like`."""
        return Tape(
            like.new_empty(lanes, steps, n, 3 * hidden),
            like.new_empty(lanes, steps, n, hidden),
            like.new_empty(lanes, steps + 1, n, hidden),
        )


def state_type(dtype: torch.dtype) -> torch.dtype:
    """What states are carried in: float32 at least."""
    return torch.float32 if dtype in (torch.bfloat16, torch.float16) else dtype


class Stepper:
    """One direction's weights, made ready for step after step without autograd.

    tanh(a) is computed as 2 sigmoid(2 a) - 1 (torch's tanh costs five times as much as its sigmoid), so the
    input's share of the candidate comes doubled (`doubled`).
    """

    def __init__(self, w_hh: Tensor, b_n: Tensor, n: int) -> None:
        hidden = w_hh.shape[1]
        self.hidden, self.wide = hidden, state_type(w_hh.dtype)
        self.mixed = self.wide != w_hh.dtype
        self.weight = torch.cat([w_hh[2 * hidden :], w_hh[: 2 * hidden]]).t()  # (hidden, [n r z])
        self.b_n = b_n
        self.minus_one = torch.tensor(-1.0, dtype=self.wide, device=w_hh.device)
        self.scratch = w_hh.new_empty(2, n, hidden, dtype=self.wide)

    @staticmethod
    def doubled(gates: Tensor) -> Tensor:
        """The last dimension is [r z n]: a copy with n doubled."""
        hidden = gates.shape[-1] // 3
        return torch.cat([gates[..., : 2 * hidden], 2 * gates[..., 2 * hidden :]], -1)

    def __call__(
        self, inputs: Tensor, h: Tensor, before: Tensor, gates: Tensor, candidate: Tensor, after: Tensor
    ) -> None:
        """inputs: (n, 3 hidden) [r z 2n] of the input; h: the wide state, changed in place; before: the same
        as the weights' type; gates, candidate, after: the tape's places for this step."""
        hidden = self.hidden
        torch.mm(before, self.weight, out=gates)
        inner, r_z = gates[:, :hidden].add_(self.b_n), gates[:, hidden:]
        r_z.add_(inputs[:, : 2 * hidden]).sigmoid_()
        n, z = self.scratch[0], r_z[:, hidden:]
        torch.addcmul(inputs[:, 2 * hidden :], r_z[:, :hidden], inner, value=2, out=candidate)
        n.copy_(candidate).sigmoid_()
        torch.add(self.minus_one, n, alpha=2, out=n)
        candidate.copy_(n)
        if self.mixed:
            z = self.scratch[1].copy_(z)
        torch.lerp(n, h, z, out=h)
        after.copy_(h)


class _Gru(torch.autograd.Function):
    """The fast path: see `gru`. Weights come flat, four a direction."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, h0: Tensor, mask: Tensor | None, tape: Tape | None, *flat: Tensor
    ) -> tuple[Tensor, Tensor]:
        groups = [flat[i : i + 4] for i in range(0, len(flat), 4)]
        steps, n = x.shape[1:3]
        lanes, _, hidden = h0.shape
        dtype = flat[1].dtype
        two = len(groups) == 2
        computed = tape is None
        if computed:
            tape = Tape.empty(flat[1], lanes, steps, n, hidden)
        out = None
        if two or mask is not None:
            out = flat[1].new_empty((1, steps, n, 2 * hidden) if two else (lanes, steps, n, hidden))
        last = torch.empty_like(h0, dtype=dtype)
        inputs = flat[1].new_empty(n, 3 * hidden)
        for lane in range(lanes):
            w_ih, w_hh, bias, b_n = groups[lane if two else 0]
            backwards = two and lane == 1
            states = tape.states[lane].unbind()
            if computed:
                sequence = x[min(lane, len(x) - 1)].unbind()
                feed = Feed(w_ih, bias[min(lane, len(bias) - 1)], symbols=not x.is_floating_point())
                stepper = Stepper(w_hh, b_n, n)
                h = h0[lane].to(stepper.wide, copy=True)
                states[steps if backwards else 0].copy_(h)
                gates, candidates = tape.gates[lane].unbind(), tape.candidates[lane].unbind()
                for t in range(steps - 1, -1, -1) if backwards else range(steps):
                    before, after = (t + 1, t) if backwards else (t, t + 1)
                    feed(sequence[t], inputs)
                    stepper(inputs, h, states[before], gates[t], candidates[t], states[after])
            last[lane] = states[0 if backwards else steps]
            if out is not None:
                part = tape.states[lane, :steps] if backwards else tape.states[lane, 1:]
                target, factor = _lane(out, lane, two, hidden), _lane(mask, lane, two, hidden)
                target.copy_(part) if factor is None else torch.mul(part, factor, out=target)
        ctx.save_for_backward(x, mask, tape.gates, tape.candidates, tape.states, *flat)
        ctx.set_materialize_grads(False)
        return tape.states[:, 1:] if out is None else out, last

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_out: Tensor | None, d_last: Tensor | None) -> tuple[Tensor | None, ...]:
        x, mask, gates, candidates, states, *flat = ctx.saved_tensors
        lanes, steps, n, hidden = candidates.shape
        groups = [flat[i : i + 4] for i in range(0, len(flat), 4)]
        two = len(groups) == 2
        d_x = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        d_h0 = candidates.new_empty(lanes, n, hidden)
        sums = [Gradients(*group) for group in groups]
        tape = Tape(gates, candidates, states)
        for lane in range(lanes):
            group = lane if two else 0
            incoming, factors = _lane(d_out, lane, two, hidden), _lane(mask, lane, two, hidden)
            d_h = candidates.new_zeros(n, hidden) if d_last is None else d_last[lane].clone()
            d_x_lane = None if d_x is None else d_x[min(lane, len(x) - 1)]
            _backward_lane(
                tape, lane, two and lane == 1, x[min(lane, len(x) - 1)], d_h, incoming, factors,
                sums[group], d_x_lane, fresh=lane == 0 or len(x) > 1,
            )  # fmt: skip
            d_h0[lane] = d_h
        return d_x, d_h0, None, None, *(gradient for total in sums for gradient in total.result())


def _lane(values: Tensor | None, lane: int, two: bool, hidden: int) -> Tensor | None:
    """A lane's part (steps, n, hidden) of something of the output's shape."""
    if values is None:
        return None
    return values[0, :, :, lane * hidden : (lane + 1) * hidden] if two else values[lane]


class Feed:
    """What the input of a step adds to the gates: a product, or for symbols the rows of a table."""

    def __init__(self, w_ih: Tensor, bias: Tensor, symbols: bool) -> None:
        """w_ih: (3 hidden, inputs), or the table (symbols, 3 hidden); bias: (3 hidden,) or (n or 1, 3 hidden)."""
        self.weight, self.bias = Stepper.doubled(w_ih if symbols else w_ih.t()), Stepper.doubled(bias)
        self.symbols, self.constant = symbols, bias.numel() == bias.shape[-1]
        if symbols and self.constant:
            self.weight = self.weight + self.bias

    def __call__(self, x: Tensor, out: Tensor) -> None:
        """x: (n, inputs), or symbols (n,); writes [r z 2n] into out (n, 3 hidden)."""
        if not self.symbols:
            torch.addmm(self.bias, x, self.weight, out=out)
            return
        torch.index_select(self.weight, 0, x, out=out)
        if not self.constant:
            out.add_(self.bias)


class Gradients:
    """Sums of the gradients of one direction's weights, in the type states are carried in."""

    def __init__(self, w_ih: Tensor, w_hh: Tensor, bias: Tensor, b_n: Tensor) -> None:
        wide = state_type(w_hh.dtype)
        self.like = (w_ih, w_hh, bias, b_n)
        hidden = w_hh.shape[1]
        self.back = torch.cat([w_hh[2 * hidden :], w_hh[: 2 * hidden]])  # ([n r z], hidden)
        self.w_ih, self.w_hh, self.bias, self.b_n = (torch.zeros_like(w, dtype=wide) for w in self.like)

    def add(self, d_gates: Tensor, x: Tensor, before: Tensor, lane: int) -> None:
        """d_gates: (steps, n, 4 hidden) as [U_n h + c | r | z | W_n x]; x, before: inputs and states of these
        steps, (steps, n, ...)."""
        hidden = before.shape[-1]
        flat = d_gates.flatten(0, 1)
        self.w_hh.add_(flat[:, : 3 * hidden].t() @ before.flatten(0, 1))
        if x.is_floating_point():
            self.w_ih.add_(flat[:, hidden:].t() @ x.flatten(0, 1))
        else:
            chosen = flat.new_zeros(len(flat), len(self.w_ih)).scatter_(1, x.reshape(-1, 1), 1)
            self.w_ih.add_(chosen.t() @ flat[:, hidden:])
        if self.bias.shape[:2] != (1, 1):
            self.bias[lane].add_(d_gates[:, :, hidden:].sum(0))
            self.b_n.add_(flat[:, :hidden].sum(0))
        else:
            total = flat.sum(0)
            self.bias[0, 0].add_(total[hidden:])
            self.b_n.add_(total[:hidden])

    def result(self) -> tuple[Tensor, ...]:
        """In the order and type of the weights."""
        hidden = len(self.b_n)
        w_hh = torch.cat([self.w_hh[hidden:], self.w_hh[:hidden]])
        totals = (self.w_ih, w_hh, self.bias, self.b_n)
        return tuple(total.to(w.dtype) for total, w in zip(totals, self.like, strict=True))


def _backward_lane(
    tape: Tape,
    lane: int,
    backwards: bool,
    x: Tensor,
    d_h: Tensor,
    incoming: Tensor | None,
    factors: Tensor | None,
    sums: Gradients,
    d_x: Tensor | None,
    fresh: bool,
) -> None:
    """Go back through one lane: d_h becomes the gradient of its first state; sums are added to, and so is
    d_x unless it is fresh."""
    steps, n, hidden = tape.candidates.shape[1:]
    gates, candidates, states = tape.gates[lane], tape.candidates[lane].unbind(), tape.states[lane]
    before = (states[1:] if backwards else states[:-1]).unbind()
    inner, r, z = (gates[..., i * hidden : (i + 1) * hidden].unbind() for i in range(3))
    incoming = None if incoming is None else incoming.unbind()
    factors = None if factors is None else factors.unbind()
    many = min(steps, max(1, _ROWS_A_PRODUCT // n))
    d_gates = d_h.new_empty(many, n, 4 * hidden)
    d_inner, d_r, d_z, d_n = (d_gates[..., i * hidden : (i + 1) * hidden].unbind() for i in range(4))
    d_recurrent = d_gates[..., : 3 * hidden].unbind()
    u = torch.empty_like(d_h)
    order = list(range(steps) if backwards else range(steps - 1, -1, -1))
    for first in range(0, steps, many):
        times = order[first : first + many]
        low, high = min(times), max(times) + 1
        for t in times:
            i = t - low
            if incoming is not None and factors is None:
                d_h.add_(incoming[t])
            elif incoming is not None:
                d_h.addcmul_(incoming[t], factors[t])
            torch.addcmul(d_h, d_h, z[t], value=-1, out=u)
            _tanh_backward(u, candidates[t], grad_input=d_n[i])
            torch.mul(d_n[i], r[t], out=d_inner[i])
            torch.mul(d_n[i], inner[t], out=u)
            _sigmoid_backward(u, r[t], grad_input=d_r[i])
            torch.sub(before[t], candidates[t], out=u).mul_(d_h)
            _sigmoid_backward(u, z[t], grad_input=d_z[i])
            d_h.mul_(z[t])
            torch.addmm(d_h, d_recurrent[i], sums.back, out=d_h)
        part = d_gates[: high - low]
        early = states[low + 1 : high + 1] if backwards else states[low:high]
        sums.add(part, x[low:high], early, lane)
        if d_x is not None:
            rows = d_x[low:high].flatten(0, 1)
            torch.addmm(rows, part.flatten(0, 1)[:, hidden:], sums.like[0], beta=0 if fresh else 1, out=rows)


def native_gru(
    x: Tensor, h0: Tensor, weights: tuple[Weights, ...], mask: Tensor | None
) -> tuple[Tensor, Tensor]:
    """What `gru` computes, by torch's own kernels (cuDNN on a GPU); bias as (lanes or 1, n or 1, 3 hidden).

    Those kernels want an input and its weights, not sums at the gates: the sums go in through a unit matrix.
    """
    lanes, n, hidden = h0.shape
    steps, two = x.shape[1], len(weights) == 2
    feeds = [
        (F.linear(x, w_ih) if x.is_floating_point() else F.embedding(x, w_ih)) + bias[:, None]
        for w_ih, _, bias, _ in weights
    ]  # (lanes or 1, steps, n, 3 hidden) each
    gates = torch.cat([feed.transpose(0, 1).reshape(steps, -1, 3 * hidden) for feed in feeds], -1)
    units = torch.eye(gates.shape[-1], dtype=gates.dtype, device=gates.device).split(3 * hidden)
    zero = gates.new_zeros(3 * hidden)
    matrices = [part for unit, (_, w_hh, _, _) in zip(units, weights, strict=True) for part in (unit, w_hh)]
    vectors = [part for *_, b_n in weights for part in (zero, torch.cat([zero[: 2 * hidden], b_n]))]
    # One block of memory in cuDNN's order, else it copies the weights at every call and warns.
    block = torch.cat([part.reshape(-1) for part in (*matrices, *vectors)])
    pieces = block.split([part.numel() for part in (*matrices, *vectors)])
    pieces = [piece.view(part.shape) for piece, part in zip(pieces, (*matrices, *vectors), strict=True)]
    split = 2 * len(weights)
    flat = [
        piece
        for direction in range(len(weights))
        for piece in (*pieces[2 * direction : 2 * direction + 2], *pieces[split + 2 * direction :][:2])
    ]
    first = h0 if two else h0.reshape(1, lanes * n, hidden)
    out, last = torch._VF.gru(
        gates, first.contiguous(), flat, True, 1, 0.0, torch.is_grad_enabled(), two, False
    )
    out = out[None] if two else out.view(steps, lanes, n, hidden).transpose(0, 1)
    return out if mask is None else out * mask, last.view(lanes, n, hidden)


def keep_mask(shape: tuple[int, ...], p: float, like: Tensor, generator: torch.Generator) -> Tensor:
    """Dropout's factors: 0 with probability p, else 1 / (1 - p); type and device of `like`.

    For p = 1/2 the factor that is kept is 2, whose binary form has one single bit set, in every floating-point
    type: shifted random words and one "and" make the factors from one random bit each.
    """
    if p != 0.5:
        draws = torch.rand(shape, generator=generator, device=like.device)
        return (draws >= p).to(like.dtype).mul_(1 / (1 - p))
    count = math.prod(shape)
    width = 8 * like.element_size()
    lanes, shifts = 64 // width, width - 1  # a word's bits serve `lanes` numbers at each of `shifts` shifts
    words = torch.empty(-(-count // (lanes * shifts)), dtype=torch.int64, device=like.device)
    words.random_(-(2**63), None, generator=generator)
    two = sum(1 << (width * lane + width - 2) for lane in range(lanes))
    by = torch.arange(shifts, device=like.device)[:, None]
    return (words << by).bitwise_and_(two).view(like.dtype).flatten()[:count].view(shape)
