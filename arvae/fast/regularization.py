"""L_AR and its gradient in one pass over the pairs, for all attributes at once."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from arvae.losses import at_least_float32, check_pairs

# Pairs handled at a time: what a block of them needs (4 bytes a pair, a few times over) stays in the
# processor's cache, and a large batch never holds more than this.
_PAIRS_AT_ONCE = 1 << 17


def attribute_regularization(z: Tensor, attributes: Tensor, delta: float = 1.0) -> Tensor:
    """Twin of `arvae.losses.attribute_regularization`, differentiable once with respect to z."""
    check_pairs(z, attributes, delta)
    return _AttributeRegularization.apply(z, attributes, float(delta))


class _AttributeRegularization(torch.autograd.Function):
    """The loss and its gradient in one pass over the pairs, a block of rows at a time.

    The pairs (i, j) and (j, i) contribute the same, both to the loss and to the gradient of z_i. So the
    gradient of row i is twice the sum over j, and nothing of size m * m outlives its block.
    """

    @staticmethod
    def forward(ctx: Any, z: Tensor, attributes: Tensor, delta: float) -> Tensor:
        columns = at_least_float32(z.detach()).t().contiguous()  # (k, m)
        values = attributes.detach().t().contiguous()  # (k, m), kept in its own precision
        k, m = columns.shape
        gradient = torch.empty_like(columns) if z.requires_grad else None
        total = columns.new_zeros(())
        rows = max(1, _PAIRS_AT_ONCE // (k * m))
        for start in range(0, m, rows):
            block = slice(start, min(start + rows, m))
            left, right = values[:, block, None], values[:, None, :]
            d = columns[:, block, None] - columns[:, None, :]  # (k, rows, m)
            # 1 - |tanh| by way of the sigmoid: 1 - tanh^2 = u (2 - u) keeps its digits where tanh is near 1.
            u = torch.sigmoid_(d.abs().mul_(-2.0 * delta)).mul_(2.0)
            # Compared, not subtracted: exact for every type, unsigned ones included.
            residual = torch.copysign(1.0 - u, d).sub_((left > right).to(u)).add_((left < right).to(u))
            total = total + residual.abs().sum()
            if gradient is not None:
                torch.sum(residual.sign_().mul_(u).mul_(2.0 - u), dim=2, out=gradient[:, block])
        if gradient is not None:
            ctx.save_for_backward(gradient.t().mul(2.0 * delta / (m * m)).to(z.dtype))
        return total / (m * m)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return (gradient * upstream).to(gradient.dtype), None, None
