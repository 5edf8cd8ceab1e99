"""The image VAE with its channels side by side in memory, in the precision of its weights."""

from torch import Tensor

from arvae.fast.layers import channels_last
from arvae.fast.regularization import attribute_regularization
from arvae.losses import at_least_float32
from arvae.models import image


class ImageVAE(image.ImageVAE):
    """Twin of `models.image.ImageVAE`: takes and gives float32 whatever its weights are."""

    attribute_regularization = staticmethod(attribute_regularization)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Images (n, 1, h, w) in 0..1 -> mean, log-std (n, d), float32."""
        mean, log_std = super().encode(channels_last(x.to(self.mean.weight.dtype)))
        return at_least_float32(mean), at_least_float32(log_std)

    def decode(self, z: Tensor) -> Tensor:
        """Codes (n, d), with the conditions appended where there are any -> logits (n, 1, h, w), float32."""
        h = self.decoder_linears(z.to(self.mean.weight.dtype))  # (n, c * h' * w')
        return at_least_float32(self.decoder_convs(channels_last(h.unflatten(1, self.features))))


TWINS = {image.ImageVAE: ImageVAE}
