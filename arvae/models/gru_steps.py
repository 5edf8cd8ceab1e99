"""The steps of a GRU layer, forward and backward, written out for a CPU: what `recurrent.gru` runs there.

A whole layer is one autograd function. Forward and backward are loops over preallocated buffers; weight
gradients are a few large matrix products instead of one small one a step; tanh is written as a sigmoid, which
torch computes five times as fast; what a step works on stays in the processor's cache. In bfloat16 the
operands of matrix products and the tape are bfloat16, while the state that is carried on is float32.

Inside, the gates of a step stand in the order [U_n h + c | r | z | W_n x]: the first three are what the
recurrent weights made, the last three what the input's weights made, each a contiguous block.
"""

import dataclasses
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_ROWS_A_PRODUCT = 1024  # rows gathered for one product of the weight gradient: large enough, still in cache

_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input  # gradient * y * (1 - y), written in place
_tanh_backward = torch.ops.aten.tanh_backward.grad_input  # gradient * (1 - y^2), written in place


def state_type(dtype: torch.dtype) -> torch.dtype:
    """What states and sums are carried in: float32 at least."""
    return torch.float32 if dtype in (torch.bfloat16, torch.float16) else dtype


def doubled(gates: Tensor) -> Tensor:
    """The last dimension is [r | z | n]: a copy with n doubled, as `Stepper` wants it."""
    hidden = gates.shape[-1] // 3
    return torch.cat([gates[..., : 2 * hidden], 2 * gates[..., 2 * hidden :]], -1)


@dataclasses.dataclass(frozen=True)
class Tape:
    """What the backward pass needs of every step, written by the forward pass.

    gates: (lanes, steps, n, 3 hidden) as [U_n h + c | r | z]; candidates: (lanes, steps, n, hidden), the n of
    the equations; states: (lanes, steps + 1, n, hidden), from the first to the last in time.
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


class Feed:
    """What the input of a step adds to the gates: a product, or for symbols the rows of a table."""

    def __init__(self, w_ih: Tensor, bias: Tensor, symbols: bool) -> None:
        """w_ih: (3 hidden, inputs), or the table (symbols, 3 hidden); bias: (3 hidden,) or (n, 3 hidden)."""
        self.weight, self.bias = doubled(w_ih if symbols else w_ih.t()), doubled(bias)
        self.symbols, self.constant = symbols, bias.numel() == bias.shape[-1]
        if symbols and self.constant:
            self.weight = self.weight + self.bias

    def __call__(self, x: Tensor, out: Tensor) -> None:
        """x: (n, inputs), or symbols (n,); writes [r | z | 2 n] into out (n, 3 hidden)."""
        if not self.symbols:
            torch.addmm(self.bias, x, self.weight, out=out)
            return
        torch.index_select(self.weight, 0, x, out=out)
        if not self.constant:
            out.add_(self.bias)


class Stepper:
    """One direction's recurrent weights, made ready for step after step without autograd.

    tanh(a) is computed as 2 sigmoid(2 a) - 1, so the input's share of the candidate comes doubled.
    """

    def __init__(self, w_hh: Tensor, b_n: Tensor, n: int) -> None:
        hidden = w_hh.shape[1]
        self.hidden, self.b_n, self.wide = hidden, b_n, state_type(w_hh.dtype)
        self.weight = torch.cat([w_hh[2 * hidden :], w_hh[: 2 * hidden]]).t()  # (hidden, [n | r | z])
        self.minus_one = torch.tensor(-1.0, dtype=self.wide, device=w_hh.device)
        self.candidate, self.z = w_hh.new_empty(2, n, hidden, dtype=self.wide).unbind()

    def __call__(
        self, inputs: Tensor, h: Tensor, before: Tensor, gates: Tensor, candidate: Tensor, after: Tensor
    ) -> None:
        """inputs: (n, 3 hidden) of `Feed`; h: the state, wide, changed in place; before: the state in the
        weights' type; gates, candidate, after: this step's places on the tape."""
        hidden = self.hidden
        torch.mm(before, self.weight, out=gates)
        inner, r_z = gates[:, :hidden].add_(self.b_n), gates[:, hidden:]
        r_z.add_(inputs[:, : 2 * hidden]).sigmoid_()
        torch.addcmul(inputs[:, 2 * hidden :], r_z[:, :hidden], inner, value=2, out=candidate)
        n, z = self.candidate.copy_(candidate).sigmoid_(), r_z[:, hidden:]
        torch.add(self.minus_one, n, alpha=2, out=n)
        candidate.copy_(n)
        if self.wide != candidate.dtype:
            z = self.z.copy_(z)
        torch.lerp(n, h, z, out=h)
        after.copy_(h)


class Gru(torch.autograd.Function):
    """`recurrent.gru` on a CPU: (x, h0, mask, tape, w_ih, w_hh, bias, b_n and once more if bidirectional)."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, h0: Tensor, mask: Tensor | None, tape: Tape | None, *flat: Tensor
    ) -> tuple[Tensor, Tensor]:
        groups = [flat[i : i + 4] for i in range(0, len(flat), 4)]
        (lanes, n, hidden), steps, two = h0.shape, x.shape[1], len(groups) == 2
        like = flat[1]
        written = tape is not None
        if not written:
            tape = Tape.empty(like, lanes, steps, n, hidden)
        out = None
        if two or mask is not None:
            out = like.new_empty((1, steps, n, 2 * hidden) if two else (lanes, steps, n, hidden))
        last = like.new_empty(lanes, n, hidden)
        for lane in range(lanes):
            backwards = two and lane == 1
            if not written:
                _forward_lane(tape, lane, backwards, x, h0[lane], groups[lane if two else 0])
            last[lane] = tape.states[lane, 0 if backwards else steps]
            if out is not None:
                part = tape.states[lane, :steps] if backwards else tape.states[lane, 1:]
                target, factor = _of_lane(out, lane, two), _of_lane(mask, lane, two)
                target.copy_(part) if factor is None else torch.mul(part, factor, out=target)
        ctx.save_for_backward(x, mask, tape.gates, tape.candidates, tape.states, *flat)
        ctx.set_materialize_grads(False)
        return tape.states[:, 1:] if out is None else out, last

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_out: Tensor | None, d_last: Tensor | None) -> tuple[Tensor | None, ...]:
        x, mask, gates, candidates, states, *flat = ctx.saved_tensors
        sums = [Gradients(*flat[i : i + 4]) for i in range(0, len(flat), 4)]
        tape, two = Tape(gates, candidates, states), len(sums) == 2
        d_x = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        d_h0 = torch.zeros_like(states[:, 0]) if d_last is None else d_last.clone()
        for lane, d_h in enumerate(d_h0):
            source = min(lane, len(x) - 1)
            _backward_lane(
                tape,
                lane,
                two and lane == 1,
                x[source],
                d_h,
                _of_lane(d_out, lane, two),
                _of_lane(mask, lane, two),
                sums[lane if two else 0],
                None if d_x is None else d_x[source],
                fresh=source == lane,
            )
        return d_x, d_h0, None, None, *(gradient for total in sums for gradient in total.result())


def _of_lane(values: Tensor | None, lane: int, two: bool) -> Tensor | None:
    """A lane's part (steps, n, hidden) of something of the output's shape."""
    if values is None or not two:
        return None if values is None else values[lane]
    return values[0].chunk(2, -1)[lane]


def _forward_lane(
    tape: Tape, lane: int, backwards: bool, x: Tensor, h0: Tensor, weights: tuple[Tensor, ...]
) -> None:
    w_ih, w_hh, bias, b_n = weights
    steps, n, hidden = tape.candidates.shape[1:]
    feed = Feed(w_ih, bias[min(lane, len(bias) - 1)], symbols=not x.is_floating_point())
    stepper = Stepper(w_hh, b_n, n)
    sequence = x[min(lane, len(x) - 1)].unbind()
    gates, candidates, states = (part[lane].unbind() for part in (tape.gates, tape.candidates, tape.states))
    inputs = w_hh.new_empty(n, 3 * hidden)
    h = h0.to(stepper.wide, copy=True)
    states[steps if backwards else 0].copy_(h)
    for t in reversed(range(steps)) if backwards else range(steps):
        before, after = (t + 1, t) if backwards else (t, t + 1)
        feed(sequence[t], inputs)
        stepper(inputs, h, states[before], gates[t], candidates[t], states[after])


class Gradients:
    """Sums of the gradients of one direction's weights, in the type states are carried in."""

    def __init__(self, w_ih: Tensor, w_hh: Tensor, bias: Tensor, b_n: Tensor) -> None:
        self.weights = (w_ih, w_hh, bias, b_n)
        self.w_ih, self.w_hh, self.bias, self.b_n = (
            torch.zeros_like(w, dtype=state_type(w.dtype)) for w in self.weights
        )

    def add(self, d_gates: Tensor, x: Tensor, before: Tensor, lane: int) -> None:
        """d_gates: (steps, n, 4 hidden); x, before: inputs and states of the same steps, (steps, n, ...)."""
        hidden = before.shape[-1]
        flat = d_gates.flatten(0, 1)
        self.w_hh.add_(flat[:, : 3 * hidden].t() @ before.flatten(0, 1))
        if x.is_floating_point():
            self.w_ih.add_(flat[:, hidden:].t() @ x.flatten(0, 1))
        else:
            chosen = flat.new_zeros(len(flat), len(self.w_ih)).scatter_(1, x.reshape(-1, 1), 1)
            self.w_ih.add_(chosen.t() @ flat[:, hidden:])
        if self.bias.shape[:2] == (1, 1):
            total = flat.sum(0)
            self.bias[0, 0].add_(total[hidden:])
            self.b_n.add_(total[:hidden])
        else:  # an own bias for every row
            self.bias[lane].add_(d_gates[..., hidden:].sum(0))
            self.b_n.add_(flat[:, :hidden].sum(0))

    def result(self) -> tuple[Tensor, ...]:
        """In the order and type of the weights."""
        hidden = len(self.b_n)
        w_hh = torch.cat([self.w_hh[hidden:], self.w_hh[:hidden]])
        sums = (self.w_ih, w_hh, self.bias, self.b_n)
        return tuple(total.to(w.dtype) for total, w in zip(sums, self.weights, strict=True))


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
    """Go back through one lane: d_h, the gradient of its last state, becomes that of its first. sums are
    added to, and so is d_x unless it is fresh. incoming, factors: (steps, n, hidden), the output's."""
    steps, n, hidden = tape.candidates.shape[1:]
    w_ih, w_hh = sums.weights[:2]
    back = torch.cat([w_hh[2 * hidden :], w_hh[: 2 * hidden]])  # ([n | r | z], hidden)
    states, candidates = tape.states[lane], tape.candidates[lane].unbind()
    after = (states[:-1] if backwards else states[1:]).unbind()
    inner, r, z = (part.unbind() for part in tape.gates[lane].chunk(3, -1))
    incoming = None if incoming is None else incoming.unbind()
    factors = None if factors is None else factors.unbind()
    many = min(steps, max(1, _ROWS_A_PRODUCT // n))
    d_gates = d_h.new_empty(many, n, 4 * hidden)
    d_inner, d_r, d_z, d_n = (part.unbind() for part in d_gates.chunk(4, -1))
    d_recurrent = d_gates[..., : 3 * hidden].unbind()
    u, v = torch.empty_like(d_h), torch.empty_like(d_h)
    order = list(range(steps)) if backwards else list(range(steps))[::-1]
    for first in range(0, steps, many):
        times = order[first : first + many]
        low, high = min(times), max(times) + 1
        for t in times:
            i = t - low
            if incoming is not None:
                d_h.add_(incoming[t]) if factors is None else d_h.addcmul_(incoming[t], factors[t])
            torch.addcmul(d_h, d_h, z[t], value=-1, out=u)
            _tanh_backward(u, candidates[t], grad_input=d_n[i])
            torch.mul(d_n[i], r[t], out=d_inner[i])
            torch.mul(d_n[i], inner[t], out=v)
            _sigmoid_backward(v, r[t], grad_input=d_r[i])
            torch.mul(torch.sub(after[t], candidates[t], out=v), u, out=d_z[i])
            d_h.mul_(z[t])
            torch.addmm(d_h, d_recurrent[i], back, out=d_h)
        part = d_gates[: high - low]
        early = states[low + 1 : high + 1] if backwards else states[low:high]
        sums.add(part, x[low:high], early, lane)
        if d_x is not None:
            rows = d_x[low:high].flatten(0, 1)
            torch.addmm(rows, part.flatten(0, 1)[:, hidden:], w_ih, beta=0 if fresh else 1, out=rows)
