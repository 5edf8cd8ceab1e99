"""The two image VAEs of the paper (Pati & Lerch 2020, section 4.2): convolutions in, transposed ones out.

`encode(x)` takes images in 0..1, (n, 1, h, w), and gives mean and log-std, (n, d), float32;
`decode(z)` takes codes (n, d) and gives logits (n, 1, h, w), float32. Inside, everything runs in the
precision of the weights, so the training engine can hand in a bfloat16 copy of them.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from arvae.fast.layers import ConvTranspose2d, SeluDropout, channels_last
from arvae.losses import at_least_float32

Conv = tuple[int, int, int, int]  # channels in, channels out, stride, padding; all kernels are 4 x 4
KERNEL = 4


def _activation(name: str, dropout: float) -> nn.Module:
    """Applied to what nothing else uses, so it may overwrite its input."""
    return SeluDropout(dropout) if name == "selu" else nn.ReLU(inplace=True)


def _stack(
    kind: type[nn.Module], convs: Sequence[Conv], name: str, dropout: float, last: bool
) -> nn.Sequential:
    """Convolutions with activation and dropout after each; not after the last one unless `last`."""
    layers: list[nn.Module] = []
    for index, (inputs, outputs, stride, padding) in enumerate(convs):
        layers.append(kind(inputs, outputs, KERNEL, stride, padding))
        if last or index < len(convs) - 1:
            layers.append(_activation(name, dropout))
    return nn.Sequential(*layers)


def _linears(sizes: Sequence[int], name: str) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in zip(sizes[:-1], sizes[1:], strict=True):
        layers += [nn.Linear(inputs, outputs), _activation(name, 0.0)]
    return nn.Sequential(*layers)


class ImageVAE(nn.Module):
    """Encoder and decoder for square images; `conditions` extra inputs enter the decoder beside z."""

    kind = "images"

    def __init__(
        self,
        latent_dim: int,
        convs: Sequence[Conv],
        features: tuple[int, int, int],
        hidden: Sequence[int],
        activation: str,
        dropout: float,
        conditions: int = 0,
    ) -> None:
        super().__init__()
        self.latent_dim, self.features, self.conditions = latent_dim, features, conditions
        flat = features[0] * features[1] * features[2]
        self.encoder_convs = _stack(nn.Conv2d, convs, activation, dropout, last=True)
        self.encoder_linears = _linears([flat, *hidden], activation)
        self.mean = nn.Linear(hidden[-1], latent_dim)
        self.log_std = nn.Linear(hidden[-1], latent_dim)
        self.decoder_linears = _linears([latent_dim + conditions, *reversed(hidden), flat], activation)
        back = [(outputs, inputs, stride, padding) for inputs, outputs, stride, padding in reversed(convs)]
        self.decoder_convs = _stack(ConvTranspose2d, back, activation, dropout, last=False)

    @property
    def dtype(self) -> torch.dtype:
        """The precision the network computes in."""
        return self.mean.weight.dtype

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Images (n, 1, h, w) in 0..1 -> mean, log-std (n, d), float32."""
        h = self.encoder_convs(channels_last(x.to(self.dtype)))  # (n, c, h', w')
        h = self.encoder_linears(h.flatten(1))  # (n, hidden)
        return at_least_float32(self.mean(h)), at_least_float32(self.log_std(h))

    def decode(self, z: Tensor) -> Tensor:
        """Codes (n, d), with the conditions appended where there are any -> logits (n, 1, h, w), float32."""
        h = self.decoder_linears(z.to(self.dtype))  # (n, c * h' * w')
        h = channels_last(h.unflatten(1, self.features))
        return at_least_float32(self.decoder_convs(h))


def image_vae(
    latent_dim: int,
    channels: int | Sequence[int],
    hidden: int,
    dropout: float = 0.0,
    image_size: int | None = None,
    conditions: int = 0,
) -> ImageVAE:
    """The paper's two architectures, told apart by `channels`.

    One number (dSprites, 64 x 64): four convolutions of stride 2 with ReLU, two hidden layers; 502,005
    parameters with 10 dimensions, 32 channels and 256 hidden units. One number a layer (MNIST, 28 x 28):
    convolutions of stride 1 with SELU and dropout, one hidden layer; 1,644,145 parameters with 16
    dimensions, (64, 64, 8) channels and 256 hidden units.

    Raises:
        ValueError: for an image size that the convolutions cannot take.
    """
    if isinstance(channels, int):
        size = image_size or 64
        if size % 16:
            raise ValueError(f"images of {size} x {size}: the strided network needs a multiple of 16")
        widths, stride, padding, side = [channels] * 4, 2, 1, size // 16
        depth, activation = 2, "relu"
    else:
        size = image_size or 28
        widths, stride, padding, side = list(channels), 1, 0, size - (KERNEL - 1) * len(channels)
        depth, activation = 1, "selu"
        if side < 1:
            raise ValueError(f"images of {size} x {size} are too small for {len(widths)} convolutions")
    convs = [(i, o, stride, padding) for i, o in zip([1, *widths[:-1]], widths, strict=True)]
    features = (widths[-1], side, side)
    return ImageVAE(latent_dim, convs, features, [hidden] * depth, activation, dropout, conditions)
