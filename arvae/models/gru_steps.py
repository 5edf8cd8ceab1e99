"""The steps of a GRU layer, forward and backward, written out for a CPU: what `recurrent.gru` runs there.

A whole layer is one autograd function. Forward and backward are loops over preallocated buffers: matrix
products by torch, all between them by one compiled kernel a step (`gru_kernels`); weight gradients are one
large matrix product a layer instead of a small one a step; what a step works on stays in the processor's
cache. In bfloat16 the operands of matrix products and the tape are bfloat16, while the state and the gradient
that are carried on are float32.

Inside, the gates of a step stand in the order [U_n h + c | r | z | W_n x]: the first three are what the
recurrent weights made, the last three what the input's weights made, each a contiguous block.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from arvae.models import gru_kernels


def state_type(dtype: torch.dtype) -> torch.dtype:
    """What states and sums are carried in: float32 at least."""
    return torch.float32 if dtype in (torch.bfloat16, torch.float16) else dtype


def wide_copy(h: Tensor) -> Tensor:
    """A contiguous copy of a state (n, hidden), in the type it is carried on in."""
    return torch.empty_like(h, dtype=state_type(h.dtype), memory_format=torch.contiguous_format).copy_(h)


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
        self.weight, self.bias = (w_ih if symbols else w_ih.t()), bias
        self.symbols, self.constant = symbols, bias.numel() == bias.shape[-1]
        if symbols and self.constant:
            self.weight = self.weight + self.bias

    def __call__(self, x: Tensor, out: Tensor) -> None:
        """x: (n, inputs), or symbols (n,); writes [r | z | n] into out (n, 3 hidden)."""
        if not self.symbols:
            torch.addmm(self.bias, x, self.weight, out=out)
            return
        torch.index_select(self.weight, 0, x, out=out)
        if not self.constant:
            out.add_(self.bias)


class Stepper:
    """One direction's recurrent weights, made ready for step after step without autograd."""

    def __init__(self, w_hh: Tensor, b_n: Tensor) -> None:
        hidden = w_hh.shape[1]
        self.weight = torch.cat([w_hh[2 * hidden :], w_hh[: 2 * hidden]]).t()  # (hidden, [n | r | z])
        self.compiled = w_hh.device.type == "cpu"
        self.b_n = gru_kernels.memory(b_n) if self.compiled else b_n

    def begin(self, tape: Tape, lane: int, h0: Tensor, inputs: Tensor, first: int = 0) -> None:
        """Go to a lane of the tape. h0: (n, hidden), its state number `first`; inputs: what `Feed` writes."""
        self.gates, self.states = tape.gates[lane].unbind(), tape.states[lane].unbind()
        self.states[first].copy_(h0)
        work = (inputs, wide_copy(h0), tape.gates[lane], tape.candidates[lane], tape.states[lane])
        self.work = tuple(map(gru_kernels.memory, work)) if self.compiled else work

    def step(self, t: int, before: int, after: int) -> Tensor:
        """Step t of the tape, from its state number `before` to number `after`, which is returned."""
        torch.mm(self.states[before], self.weight, out=self.gates[t])
        inputs, h, gates, candidates, states = self.work
        step = gru_kernels.forward if self.compiled else pointwise
        step(gates[t], inputs, self.b_n, h, candidates[t], states[after])
        return self.states[after]


def pointwise(
    gates: Tensor, inputs: Tensor, b_n: Tensor, h: Tensor, candidate: Tensor, after: Tensor
) -> None:
    """`gru_kernels.forward` by torch's operators, for devices that have no compiled kernel."""
    hidden = h.shape[1]
    inner, r_z = gates[:, :hidden].add_(b_n), gates[:, hidden:]
    r, z = r_z.add_(inputs[:, : 2 * hidden]).sigmoid_().chunk(2, 1)
    candidate.copy_(torch.addcmul(inputs[:, 2 * hidden :], r, inner).tanh_())
    after.copy_(torch.lerp(candidate.to(h.dtype), h, z.to(h.dtype), out=h))


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
        sums = [Gradients(flat[i : i + 4], not x.is_floating_point()) for i in range(0, len(flat), 4)]
        tape, two = Tape(gates, candidates, states), len(sums) == 2
        d_out = None if d_out is None else d_out.contiguous()
        d_x = x.new_empty(x.shape) if ctx.needs_input_grad[0] else None  # contiguous, whatever x is
        d_h0 = torch.empty_like(states[:, 0])
        for lane in range(len(d_h0)):
            source, place = min(lane, len(x) - 1), 0 if two else lane  # where the lane's part of out is
            d_h = wide_copy(d_h0[lane] if d_last is None else d_last[lane])
            if d_last is None:
                d_h.zero_()
            _backward_lane(
                tape,
                lane,
                two and lane == 1,
                x[source],
                d_h,
                None if d_out is None else d_out[place],
                None if mask is None else mask[place],
                sums[lane if two else 0],
                None if d_x is None else d_x[source],
                fresh=source == lane,
            )
            d_h0[lane] = d_h
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
    sequence = x[min(lane, len(x) - 1)].unbind()
    inputs = w_hh.new_empty(n, 3 * hidden)
    stepper = Stepper(w_hh, b_n)
    stepper.begin(tape, lane, h0, inputs, first=steps if backwards else 0)
    for t in reversed(range(steps)) if backwards else range(steps):
        feed(sequence[t], inputs)
        stepper.step(t, *((t + 1, t) if backwards else (t, t + 1)))


class Gradients:
    """Sums of the gradients of one direction's weights, in the type states are carried in.

    gates: (4 hidden,), of [U_n h + c | r | z | W_n x] over all rows and steps, filled by the kernel.
    """

    def __init__(self, weights: Sequence[Tensor], symbols: bool) -> None:
        self.weights, self.symbols = weights, symbols
        w_ih, w_hh, bias, b_n = weights
        wide = {"dtype": state_type(w_hh.dtype)}
        self.w_ih = torch.zeros(w_ih.shape if symbols else w_ih.shape[::-1], **wide)
        self.w_hh = torch.zeros(w_hh.shape[::-1], **wide)
        self.gates = torch.zeros(4 * len(b_n), **wide)
        self.rows = None if bias.shape[:2] == (1, 1) else torch.zeros(bias.shape, **wide)  # a bias each

    def add(self, d_gates: Tensor, x: Tensor, before: Tensor, lane: int) -> None:
        """d_gates: (steps, n, 4 hidden); x, before: inputs and states of the same steps, (steps, n, ...)."""
        hidden = before.shape[-1]
        flat = d_gates.flatten(0, 1)
        self.w_hh.add_(before.flatten(0, 1).t() @ flat[:, : 3 * hidden])
        if self.symbols:
            rows = flat.new_zeros(len(flat), len(self.w_ih)).scatter_(1, x.reshape(-1, 1), 1)
        else:
            rows = x.flatten(0, 1)
        self.w_ih.add_(rows.t() @ flat[:, hidden:])
        if self.rows is not None:
            self.rows[lane].add_(d_gates[..., hidden:].sum(0))

    def result(self) -> tuple[Tensor, ...]:
        """In the order, shape and type of the weights."""
        hidden = len(self.gates) // 4
        w_ih = self.w_ih if self.symbols else self.w_ih.t()
        w_hh = torch.cat([self.w_hh[:, hidden:], self.w_hh[:, :hidden]], 1).t()
        bias = self.gates[hidden:].view(1, 1, -1) if self.rows is None else self.rows
        sums = (w_ih, w_hh, bias, self.gates[:hidden])
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
    """Go back through one lane: d_h, wide, the gradient of its last state, becomes that of its first.

    sums are added to, and so is d_x unless it is fresh. incoming, factors: (steps, n, hidden), the output's;
    of two directions (steps, n, 2 hidden), in which the lane has its part.
    """
    steps, n, hidden = tape.candidates.shape[1:]
    w_ih, w_hh = sums.weights[:2]
    back = torch.cat([w_hh[2 * hidden :], w_hh[: 2 * hidden]])  # ([n | r | z], hidden)
    offset = 0 if incoming is None or incoming.shape[-1] == hidden else lane * hidden
    d_gates, product = w_hh.new_empty(steps, n, 4 * hidden), w_hh.new_zeros(n, hidden)
    d_recurrent = d_gates[..., : 3 * hidden].unbind()
    gates, candidates, states, written, made, carried, total = map(
        gru_kernels.memory,
        (tape.gates[lane], tape.candidates[lane], tape.states[lane], d_gates, product, d_h, sums.gates),
    )
    incoming = None if incoming is None else gru_kernels.memory(incoming)
    factors = None if incoming is None or factors is None else gru_kernels.memory(factors)
    for t in range(steps) if backwards else reversed(range(steps)):
        gru_kernels.backward(
            gates[t],
            candidates[t],
            states[t if backwards else t + 1],
            None if incoming is None else incoming[t],
            None if factors is None else factors[t],
            offset,
            made,
            carried,
            written[t],
            total,
        )
        torch.mm(d_recurrent[t], back, out=product)
    sums.add(d_gates, x, tape.states[lane, 1:] if backwards else tape.states[lane, :steps], lane)
    if d_x is not None:
        rows = d_x.flatten(0, 1)
        torch.addmm(rows, d_gates.flatten(0, 1)[:, hidden:], w_ih, beta=0 if fresh else 1, out=rows)
    d_h.add_(product)
