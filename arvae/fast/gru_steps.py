"""The steps of a GRU layer, forward and backward, written out for a CPU: what `recurrent.gru` runs there.

A whole layer is one autograd function. Forward and backward are loops over preallocated buffers: matrix
products by torch, all between them by one compiled kernel a step (`gru_kernels`); weight gradients are one
large matrix product a layer instead of a small one a step; what a step works on stays in the processor's
cache. In bfloat16 the operands of matrix products and the tape are bfloat16, while the state and the gradient
that are carried on are float32.

Inside, the gates of a step stand in the order [U_n h + c | r | z | W_n x]: the first three are what the
recurrent weights made, the last three what the input's weights made, each a contiguous block.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from arvae.fast import gru_kernels
from arvae.fast.gru_kernels import memory


def state_type(dtype: torch.dtype) -> torch.dtype:
    """What states and sums are carried in: float32 at least."""
    return torch.float32 if dtype in (torch.bfloat16, torch.float16) else dtype


def wide_copy(h: Tensor) -> Tensor:
    """A contiguous copy of a state (n, hidden), in the type it is carried on in."""
    return h.to(state_type(h.dtype), memory_format=torch.contiguous_format, copy=True)


class Tape(NamedTuple):
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
        shapes = (steps, n, 3 * hidden), (steps, n, hidden), (steps + 1, n, hidden)
        return Tape(*(like.new_empty(lanes, *shape) for shape in shapes))


class Stepper:
    """One direction's weights, made ready for step after step without autograd.

    w_ih: (3 hidden, inputs), or for symbols a table (symbols, 3 hidden) of what each adds to the gates.
    """

    def __init__(self, w_ih: Tensor, w_hh: Tensor, b_n: Tensor, symbols: bool) -> None:
        self.hidden, self.b_n, self.symbols = w_hh.shape[1], b_n, symbols
        self.w_ih = w_ih if symbols else w_ih.t()
        self.w_hh = torch.cat([w_hh[2 * self.hidden :], w_hh[: 2 * self.hidden]]).t()  # (hidden, [n | r | z])
        self.compiled = w_hh.device.type == "cpu"

    def begin(self, tape: Tape, lane: int, h0: Tensor, bias: Tensor, first: int = 0) -> None:
        """Go to a lane of the tape. h0: (n, hidden), its state number `first`; bias: ([n,] 3 hidden)."""
        self.states = tape.states[lane].unbind()
        self.states[first].copy_(h0)
        # The products go where the last step's went, which the processor still has at hand.
        self.product = h0.new_empty(len(h0), self.w_hh.shape[1])
        self.inputs = self.w_ih if self.symbols else torch.empty_like(self.product)
        work = (self.product, self.inputs, bias.reshape(-1, bias.shape[-1]), self.b_n, wide_copy(h0))
        work += (tape.gates[lane], tape.candidates[lane], tape.states[lane])
        self.work = tuple(map(memory, work)) if self.compiled else work
        self.kernel = gru_kernels.forward(self.hidden) if self.compiled else pointwise

    def step(self, x: Tensor, t: int, before: int, after: int) -> Tensor:
        """Step t of the tape, from its state number `before` to number `after`, which is returned.

        x: (n, inputs), or symbols (n,).
        """
        torch.mm(self.states[before], self.w_hh, out=self.product)
        rows = None
        if self.symbols:
            rows = memory(x) if self.compiled else x
        else:
            torch.mm(x, self.w_ih, out=self.inputs)
        product, inputs, bias, b_n, h, gates, candidates, states = self.work
        self.kernel(product, inputs, rows, bias, b_n, h, gates[t], candidates[t], states[after])
        return self.states[after]


def pointwise(
    product: Tensor, inputs: Tensor, rows: Tensor | None, bias: Tensor, b_n: Tensor, h: Tensor,
    gates: Tensor, candidate: Tensor, after: Tensor,
) -> None:  # fmt: skip
    """`gru_kernels.forward` by torch's operators, for devices that have no compiled kernel."""
    hidden = h.shape[1]
    inputs = (inputs if rows is None else inputs.index_select(0, rows)) + bias
    torch.add(product[:, :hidden], b_n, out=gates[:, :hidden])
    torch.add(product[:, hidden:], inputs[:, : 2 * hidden], out=gates[:, hidden:]).sigmoid_()
    inner, r, z = gates.chunk(3, 1)
    candidate.copy_(torch.addcmul(inputs[:, 2 * hidden :], r, inner).tanh_())
    after.copy_(torch.lerp(candidate.to(h.dtype), h, z.to(h.dtype), out=h))


class Gru(torch.autograd.Function):
    """`recurrent.gru` on a CPU: (x, h0, mask, tape, w_ih, w_hh, bias, b_n and once more if bidirectional)."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, h0: Tensor, mask: Tensor | None, tape: Tape | None, *flat: Tensor
    ) -> tuple[Tensor, Tensor]:
        (lanes, n, hidden), steps, two, like = h0.shape, x.shape[1], len(flat) > 4, flat[1]
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
                _forward_lane(tape, lane, backwards, x, h0[lane], flat[4 * backwards :][:4])
            last[lane] = tape.states[lane, 0 if backwards else steps]
            if out is not None:
                part = tape.states[lane, :steps] if backwards else tape.states[lane, 1:]
                target, factor = (_of_lane(values, lane, two) for values in (out, mask))
                target.copy_(part) if factor is None else torch.mul(part, factor, out=target)
        ctx.save_for_backward(x, mask, *tape, *flat)
        ctx.set_materialize_grads(False)
        return tape.states[:, 1:] if out is None else out, last

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_out: Tensor | None, d_last: Tensor | None) -> tuple[Tensor | None, ...]:
        x, mask, gates, candidates, states, *flat = ctx.saved_tensors
        tape = Tape(gates, candidates, states)
        lanes, steps, n, hidden = candidates.shape
        wide, two = state_type(gates.dtype), len(flat) > 4
        d_out = None if d_out is None else d_out.contiguous()
        d_x = x.new_empty(x.shape) if ctx.needs_input_grad[0] else None  # contiguous, whatever x is
        d_h0 = torch.empty_like(states[:, 0]) if ctx.needs_input_grad[1] else None
        found: list[Tensor] = []
        for number in range(1 + two):
            weights, ours = flat[4 * number :][:4], [number] if two else range(lanes)
            d_gates = gates.new_empty(len(ours), steps, n, 4 * hidden)
            sums = torch.zeros(4 * hidden, dtype=wide)
            for lane, written in zip(ours, d_gates, strict=True):
                d_h = torch.zeros(n, hidden, dtype=wide) if d_last is None else wide_copy(d_last[lane])
                upstream = [None if part is None else part[0 if two else lane] for part in (d_out, mask)]
                first = None if d_h0 is None else d_h0[lane]
                _backward_lane(tape, lane, number == 1, weights[1], d_h, upstream, written, sums, first)
            before = states[number, number : steps + number][None] if two else states[:, :steps]
            found += _of_weights(weights, d_gates, sums, x, before)
            if d_x is not None:
                _of_inputs(weights[0], d_gates, d_x, fresh=number == 0)
        return d_x, d_h0, None, None, *found


def _of_lane(values: Tensor | None, lane: int, two: bool) -> Tensor | None:
    """A lane's part (steps, n, hidden) of something of the output's shape."""
    if values is None:
        return None
    return values[0].chunk(2, -1)[lane] if two else values[lane]


def _forward_lane(
    tape: Tape, lane: int, backwards: bool, x: Tensor, h0: Tensor, weights: Sequence[Tensor]
) -> None:
    w_ih, w_hh, bias, b_n = weights
    steps = tape.candidates.shape[1]
    sequence = x[min(lane, len(x) - 1)].unbind()
    stepper = Stepper(w_ih, w_hh, b_n, symbols=not x.is_floating_point())
    stepper.begin(tape, lane, h0, bias[min(lane, len(bias) - 1)], first=steps if backwards else 0)
    for t in reversed(range(steps)) if backwards else range(steps):
        stepper.step(sequence[t], t, *((t + 1, t) if backwards else (t, t + 1)))


def _backward_lane(
    tape: Tape, lane: int, backwards: bool, w_hh: Tensor, d_h: Tensor, upstream: Sequence[Tensor | None],
    d_gates: Tensor, sums: Tensor, d_h0: Tensor | None,
) -> None:  # fmt: skip
    """Go back through one lane, whose last state has the gradient d_h, wide (changed).

    upstream: the output's gradient and its factors, (steps, n, hidden); of two directions (steps, n, 2
    hidden), in which the lane has its part. Written: d_gates (steps, n, 4 hidden), the gradients of [U_n h +
    c | r | z | W_n x]; d_h0, that of the first state, if wanted. sums: (4 hidden,), wide: theirs are added.
    """
    steps, n, hidden = tape.candidates.shape[1:]
    back = torch.cat([w_hh[2 * hidden :], w_hh[: 2 * hidden]])  # ([n | r | z], hidden)
    product = w_hh.new_zeros(n, hidden)
    d_recurrent = d_gates[..., : 3 * hidden].unbind()
    gates, candidates, states = (memory(part[lane]) for part in tape)
    written, made, carried, total = map(memory, (d_gates, product, d_h, sums))
    incoming, factors = ([None] * steps if part is None else memory(part) for part in upstream)
    offset = np.uint64(0 if upstream[0] is None or upstream[0].shape[-1] == hidden else lane * hidden)
    kernel = gru_kernels.backward(hidden)
    order = range(steps) if backwards else range(steps - 1, -1, -1)
    for t in order:
        after, factor = states[t if backwards else t + 1], None if incoming[t] is None else factors[t]
        kernel(gates[t], candidates[t], after, incoming[t], factor, offset, made, carried, written[t], total)
        if d_h0 is not None or t != order[-1]:
            torch.mm(d_recurrent[t], back, out=product)
    if d_h0 is not None:
        d_h0.copy_(d_h.add_(product))


def _of_weights(
    weights: Sequence[Tensor], d_gates: Tensor, sums: Tensor, x: Tensor, before: Tensor
) -> list[Tensor]:
    """Gradients of one direction's weights, in their order.

    d_gates: (lanes, steps, n, 4 hidden), and sums, (4 hidden,), of them over all but the last; x (lanes or 1,
    steps, n, ...) and before (lanes, steps, n, hidden): inputs and states of the same steps.
    """
    w_ih, w_hh, bias, b_n = weights
    hidden, lanes = len(b_n), len(d_gates)
    flat = d_gates.flatten(0, 2)
    d_hh = before.flatten(0, 2).t() @ flat[:, : 3 * hidden]  # (hidden, [n | r | z])
    x = x.expand(lanes, *x.shape[1:]).flatten(0, 2)
    if x.is_floating_point():
        d_ih = (x.t() @ flat[:, hidden:]).t()
    else:
        d_ih = flat.new_zeros(len(flat), len(w_ih)).scatter_(1, x[:, None], 1).t() @ flat[:, hidden:]
    a_row = bias.shape[:2] != (1, 1)
    d_bias = d_gates[..., hidden:].sum(1) if a_row else sums[hidden:].to(bias.dtype).view(bias.shape)
    return [d_ih, torch.cat([d_hh[:, hidden:], d_hh[:, :hidden]], 1).t(), d_bias, sums[:hidden].to(b_n.dtype)]


def _of_inputs(w_ih: Tensor, d_gates: Tensor, d_x: Tensor, fresh: bool) -> None:
    """Write the gradient of the inputs into d_x (lanes or 1, steps, n, inputs); add it if not fresh."""
    hidden = d_gates.shape[-1] // 4
    for lane, part in enumerate(d_gates):
        rows = d_x[min(lane, len(d_x) - 1)].flatten(0, 1)
        new = fresh and lane < len(d_x)
        torch.addmm(rows, part.flatten(0, 1)[:, hidden:], w_ih, beta=0 if new else 1, out=rows)
