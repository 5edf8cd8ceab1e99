"""The two image VAEs of the paper (Pati & Lerch 2020, section 4.2): convolutions in, transposed ones out."""

from collections.abc import Sequence

from torch import Tensor, nn

from arvae import losses

Conv = tuple[int, int, int, int]  # channels in, channels out, stride, padding
KERNEL = 4  # all kernels are 4 x 4


class ImageVAE(nn.Module):
    """Encoder and decoder for square images; `conditions` extra inputs enter the decoder beside z.

    Args:
        latent_dim: numbers of a code, d.
        convs: the encoder's convolutions; the decoder's are the same, transposed, in reverse.
        features: channels, height and width after the last convolution.
        hidden: units of the linear layers between the convolutions and the code.
        activation: "relu" or "selu".
        dropout: share of units dropped after every convolution while training.
    """

    kind = "images"
    attribute_regularization = staticmethod(losses.attribute_regularization)  # arvae.fast has a twin of it

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
        back = [(outputs, inputs, stride, padding) for inputs, outputs, stride, padding in reversed(convs)]
        # encoder
        self.encoder_convs = _convolutions(nn.Conv2d, convs, activation, dropout)
        self.encoder_linears = _linears([flat, *hidden], activation)
        self.mean = nn.Linear(hidden[-1], latent_dim)
        self.log_std = nn.Linear(hidden[-1], latent_dim)
        # decoder
        self.decoder_linears = _linears([latent_dim + conditions, *reversed(hidden), flat], activation)
        self.decoder_convs = _convolutions(nn.ConvTranspose2d, back, activation, dropout)[:-1]  # to logits

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Images (n, 1, h, w) in 0..1 -> mean, log-std (n, d)."""
        h = self.encoder_convs(x)  # (n, c, h', w')
        h = self.encoder_linears(h.flatten(1))  # (n, hidden)
        return self.mean(h), self.log_std(h)

    def decode(self, z: Tensor) -> Tensor:
        """Codes (n, d), with the conditions appended where there are any -> logits (n, 1, h, w)."""
        h = self.decoder_linears(z)  # (n, c * h' * w')
        return self.decoder_convs(h.unflatten(1, self.features))


def _convolutions(
    kind: type[nn.Module], convs: Sequence[Conv], activation: str, dropout: float
) -> nn.Sequential:
    """Convolutions, each with its activation and dropout after it."""
    layers: list[nn.Module] = []
    for inputs, outputs, stride, padding in convs:
        layers += [kind(inputs, outputs, KERNEL, stride, padding), _activation(activation, dropout)]
    return nn.Sequential(*layers)


def _linears(sizes: Sequence[int], activation: str) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in zip(sizes[:-1], sizes[1:], strict=True):
        layers += [nn.Linear(inputs, outputs), _activation(activation, 0.0)]
    return nn.Sequential(*layers)


def _activation(name: str, dropout: float) -> nn.Module:
    if name == "relu":
        return nn.ReLU(inplace=True)
    return nn.Sequential(nn.SELU(), nn.Dropout(dropout)) if dropout else nn.SELU()


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
