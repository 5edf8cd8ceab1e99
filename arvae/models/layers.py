"""Building blocks that are cheaper than torch's own and compute the same."""

import torch
from torch import Tensor, nn


class Dropout(nn.Module):
    """Inverted dropout whose random numbers cost next to nothing.

    `nn.Dropout` draws a random number of its own for every element, which on a CPU takes as long as the
    convolutions of the mnist network. For p = 1/2 one random bit an element is enough: each 64-bit draw
    of the generator serves 64 elements. Other p take 16 bits an element (p is kept to within 2 ** -16).

    `generator` is set by the training engine; without one the module refuses to train.
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        if not 0.0 <= p < 1.0:
            raise ValueError(f"a dropout probability must be in 0 <= p < 1, got {p}")
        self.p = p
        self.generator: torch.Generator | None = None

    def forward(self, x: Tensor) -> Tensor:
        """The same shape and memory layout as `x`; in eval mode `x` itself."""
        if not self.training or self.p == 0.0:
            return x
        if self.generator is None:
            raise RuntimeError("this model drops units at random: set a generator (models.set_generator)")
        return x * keep_mask(x, self.p, self.generator)

    def extra_repr(self) -> str:
        return f"p={self.p}"


def keep_mask(x: Tensor, p: float, generator: torch.Generator) -> Tensor:
    """0 with probability p, else 1 / (1 - p); shape, type and memory layout of `x`."""
    n = x.numel()
    mask = torch.empty_like(x)  # keeps channels-last
    flat = mask.as_strided((n,), (1,))
    if p == 0.5:
        words = _random_words(n, 64, x.device, generator)
        bits = words.view(torch.uint8).unsqueeze(1).bitwise_and(_BITS.to(x.device)).ne_(0)
        torch.mul(bits.flatten()[:n], 2.0, out=flat)
    else:
        draws = _random_words(n, 4, x.device, generator).view(torch.int16)[:n]
        kept = draws >= round(p * 65536) - 32768
        torch.mul(kept, 1.0 / (1.0 - p), out=flat)
    return mask


_BITS = torch.tensor([1, 2, 4, 8, 16, 32, 64, 128], dtype=torch.uint8)


def _random_words(n: int, per_word: int, device: torch.device, generator: torch.Generator) -> Tensor:
    """int64 words, all 64 bits random, enough for n elements."""
    words = torch.empty(-(-n // per_word), dtype=torch.int64, device=device)
    return words.random_(-(2**63), None, generator=generator)
