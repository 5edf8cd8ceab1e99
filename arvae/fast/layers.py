"""Building blocks that compute what torch's own do, cheaper on a CPU in low precision.

Where the time went, measured on one core of an AMD Zen 5 in bfloat16 with channels-last memory: nn.Dropout's
random numbers cost as much as the convolutions; the bias gradient of a transposed convolution four times its
weight gradient; a transposed convolution to one channel ten times its backward pass. These modules avoid
just that. Parameters, names and results are those of the modules they stand for.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946
# Bits of the integer type that is as wide as the float type: a random word serves as many elements.
_WORDS = {torch.float32: torch.int32, torch.bfloat16: torch.int16, torch.float16: torch.int16}


def generator_of(module: nn.Module) -> torch.Generator:
    """The module's generator; RuntimeError where it has none."""
    if module.generator is None:
        raise RuntimeError("this model drops units at random: set a generator (models.set_generator)")
    return module.generator


class Dropout(nn.Dropout):
    """Inverted dropout whose random numbers cost next to nothing.

    For p = 1/2 one random bit an element is enough: each 64-bit draw of the generator serves 64 elements.
    Other p take 16 bits an element (p is kept to within 2 ** -16).

    `generator` is set by the training engine; without one the module refuses to train.
    """

    generator: torch.Generator | None = None

    def forward(self, x: Tensor) -> Tensor:
        """The same shape and memory layout as `x`; in eval mode `x` itself."""
        if not self.training or self.p == 0.0:
            return x
        if self.p == 0.5 and x.dtype in _WORDS:
            return _DropHalf.apply(x, generator_of(self), False)
        factors = keep_factors(x.numel(), self.p, x.dtype, x.device, generator_of(self))
        return x * (factors.as_strided(x.shape, x.stride()) if _dense(x) else factors.view(x.shape))


class SeluDropout(nn.Sequential):
    """SELU, then dropout, in one pass forth and one back. `x` is overwritten: nothing else may use it."""

    def forward(self, x: Tensor) -> Tensor:
        """The same shape and memory layout as `x`."""
        if self.training and self[1].p == 0.5 and x.dtype in _WORDS:
            return _DropHalf.apply(x, generator_of(self[1]), True)
        return super().forward(x)


class _DropHalf(torch.autograd.Function):
    """[SELU and] dropout with p = 1/2.

    Element e keeps its value where bit e // words of word e % words is set. Shifting that bit to the top and
    back down makes a mask of all ones or all zeros, so dropping is a bitwise "and" on the number's bits. The
    factor 2 of inverted dropout goes into SELU's own scale.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, generator: torch.Generator, selu: bool) -> Tensor:
        y = x if selu and _dense(x) else x.clone()  # a clone is dense
        word = _WORDS[x.dtype]
        words = -(-x.numel() // (word.itemsize * 8))
        bits = random_bits(words, word.itemsize * 8, x.device, generator).view(word)[:words]
        _twice_selu(y) if selu else y.mul_(2.0)
        _drop(y, bits)
        if y is x:
            ctx.mark_dirty(x)
        if selu:
            ctx.save_for_backward(y)
        ctx.selu, ctx.bits, ctx.stride = selu, bits, y.stride()
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None]:
        if upstream.stride() != ctx.stride:
            upstream = upstream.new_empty_strided(upstream.shape, ctx.stride).copy_(upstream)
        if ctx.selu:
            # From the output y: its slope is y + scale * alpha where negative, scale where positive.
            (y,) = ctx.saved_tensors
            gradient = torch.ops.aten.elu_backward(upstream, _SELU_ALPHA, 2.0 * _SELU_SCALE, 1.0, True, y)
        else:
            gradient = upstream * 2.0
        _drop(gradient, ctx.bits)
        return gradient, None, None


_CHUNK = 1 << 17  # elements that, with what is made of them, stay in a core's own cache


def _twice_selu(values: Tensor) -> None:
    """2 SELU(x) in place. torch's own SELU spends most of its time in expm1; exp2 is six times faster."""
    if values.device.type != "cpu":
        _twice_selu_at_once(values)
        return
    flat = values.as_strided((values.numel(),), (1,))
    outer, inner = 2.0 * _SELU_SCALE, 2.0 * _SELU_SCALE * _SELU_ALPHA
    for part in flat.split(_CHUNK):
        x = part.float()
        below = x.mul(math.log2(math.e)).clamp_max_(0.0).exp2_()  # exp(min(x, 0))
        part.copy_(x.clamp_min_(0.0).mul_(outer).add_(below, alpha=inner).sub_(inner))


def _twice_selu_at_once(values: Tensor) -> None:
    torch.ops.aten.elu_(values, _SELU_ALPHA, 2.0 * _SELU_SCALE, 1.0)


def _drop(values: Tensor, bits: Tensor) -> None:
    """Zero, in place, the elements whose bit is not set."""
    if values.device.type != "cpu":  # there the number of operations is what costs
        _drop_at_once(values, bits)
        return
    n, words = values.numel(), len(bits)
    flat = values.as_strided((n,), (1,)).view(bits.dtype)
    top = bits.element_size() * 8 - 1
    mask = torch.empty_like(bits)
    for index in range(-(-n // words)):
        part = flat[index * words : (index + 1) * words]
        torch.bitwise_left_shift(bits, top - index, out=mask)
        mask.bitwise_right_shift_(top)
        part.bitwise_and_(mask[: len(part)])


def _drop_at_once(values: Tensor, bits: Tensor) -> None:
    n, top = values.numel(), bits.element_size() * 8 - 1
    shifts = torch.arange(top, -1, -1, dtype=bits.dtype, device=bits.device)
    masks = bits.bitwise_left_shift(shifts.unsqueeze(1)).bitwise_right_shift_(top)
    values.as_strided((n,), (1,)).view(bits.dtype).bitwise_and_(masks.flatten()[:n])


def keep_factors(
    count: int, p: float, dtype: torch.dtype, device: torch.device, generator: torch.Generator
) -> Tensor:
    """Dropout's factors (count,): 0 with probability p (to within 2 ** -16), else 1 / (1 - p)."""
    draws = random_bits(count, 16, device, generator).view(torch.int16)[:count]
    return (draws >= round(p * 65536) - 32768).to(dtype).div_(1.0 - p)


def random_bits(elements: int, bits: int, device: torch.device, generator: torch.Generator) -> Tensor:
    """int64 words, all 64 bits of each random, enough for `bits` bits an element."""
    words = torch.empty(-(-elements * bits // 64), dtype=torch.int64, device=device)
    return words.random_(-(2**63), None, generator=generator)


def _dense(x: Tensor) -> bool:
    return x.is_contiguous() or (x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last))


class ConvTranspose2d(nn.ConvTranspose2d):
    """nn.ConvTranspose2d with a cheaper backward pass, and a cheaper forward one to a single channel."""

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(n, channels in, h, w) -> (n, channels out, h', w')."""
        if x.device.type != "cpu" or not torch.is_grad_enabled():
            return super().forward(x, output_size)
        return _ConvTranspose.apply(x, self.weight, self.bias, self.stride, self.padding)


class _ConvTranspose(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, stride: Any, padding: Any) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        if weight.shape[1] == 1:
            return to_one_channel(x, weight, bias, stride[0], padding[0])
        return F.conv_transpose2d(x, weight, bias, stride, padding)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Any, ...]:
        # A transposed convolution is a convolution's gradient: x takes the part of its output's gradient.
        x, weight = ctx.saved_tensors
        g = channels_last(g.to(weight.dtype))
        g_x = F.conv2d(g, weight, None, ctx.stride, ctx.padding) if ctx.needs_input_grad[0] else None
        g_weight = nn.grad.conv2d_weight(g, weight.shape, x, ctx.stride, ctx.padding)
        rows = g.permute(0, 2, 3, 1).reshape(-1, g.shape[1])  # (n * h * w, channels), no copy
        g_bias = rows.new_ones(1, len(rows)).mm(rows)[0] if rows.shape[1] > 1 else rows.sum().reshape(1)
        return g_x, g_weight, g_bias, None, None


def channels_last(x: Tensor) -> Tensor:
    """x (n, c, h, w) with its channels side by side in memory, and marked so.

    With a single channel both layouts are the same bytes and torch takes such a tensor for the ordinary
    one: every convolution after it would run in the slow layout.
    """
    x = x.contiguous(memory_format=torch.channels_last)
    n, c, h, w = x.shape
    return x.as_strided(x.shape, (h * w, 1, w, 1)) if c == 1 else x


def to_one_channel(x: Tensor, weight: Tensor, bias: Tensor, stride: int, padding: int) -> Tensor:
    """Transposed convolution to one channel: one matrix product, its columns added up where they belong.

    Args:
        x: (n, c, h, w), best channels-last. weight: (c, 1, k, k). bias: (1,). stride must divide k.

    Returns:
        (n, 1, h', w') float32 (float64 for float64 input): sums of many products, not rounded in between.
    """
    n, c, h, w = x.shape
    k = weight.shape[2]
    rows = x.permute(0, 2, 3, 1).reshape(-1, c)
    columns = weight.reshape(c, k * k).t().contiguous().mm(rows.t()).view(k, k, n, h, w)
    reach = k // stride - 1
    kind = x.dtype if x.dtype == torch.float64 else torch.float32
    # One plane for each position within a stride, so that every addition runs along contiguous memory.
    planes = torch.zeros(stride, stride, n, h + reach, w + reach, dtype=kind)
    for i in range(k):
        for j in range(k):
            (a, top), (b, left) = divmod(i, stride), divmod(j, stride)
            planes[top, left, :, a : a + h, b : b + w] += columns[i, j]
    whole = planes.permute(2, 3, 0, 4, 1).reshape(n, 1, (h + reach) * stride, (w + reach) * stride)
    inner = slice(padding, -padding or None)
    return whole[:, :, inner, inner] + bias.to(kind)
