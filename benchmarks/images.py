"""How fast the image models train here, and how well: the engine against an ordinary float32 program.

    python -m benchmarks.images [--steps 12] [--rounds 2]     speed, in about two minutes
    python -m benchmarks.images --learn 400 --seeds 0 1 2     and: are both equally good? (needs data)
    python -m benchmarks.images --steps 0 --learn 400         only that
    python -m benchmarks.images --steps 0 --profile           where the time of a step goes

Both take the same training steps of AR-VAE at the paper's batch size of 128; see `benchmarks.common`.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.flop_counter import FlopCounterMode

from arvae import metrics, params
from arvae.datasets.contract import Dataset, PackedImages, Split
from arvae.losses import kl_divergence
from arvae.training.batches import Source, attribute_columns
from benchmarks import common

RATE = 1e-3


class PlainVAE(nn.Module):
    """The paper's image VAE in ordinary modules; `channels` tells the two architectures apart."""

    def __init__(self, setup: params.Setup) -> None:
        super().__init__()
        channels, d, h = setup.architecture.channels, setup.latent_dim, setup.architecture.hidden
        dsprites = isinstance(channels, int)
        widths = [1, *([channels] * 4 if dsprites else channels)]
        arguments = (4, 2, 1) if dsprites else (4, 1, 0)
        shape = (channels, 4, 4) if dsprites else (channels[-1], 19, 19)
        flat = int(np.prod(shape))

        def activation() -> list[nn.Module]:
            return [nn.ReLU()] if dsprites else [nn.SELU(), nn.Dropout(setup.architecture.dropout)]

        encoder: list[nn.Module] = []
        for i, o in zip(widths[:-1], widths[1:], strict=True):
            encoder += [nn.Conv2d(i, o, *arguments), *activation()]
        decoder: list[nn.Module] = []
        for i, o in zip(widths[:0:-1], widths[-2::-1], strict=True):
            decoder += [nn.ConvTranspose2d(i, o, *arguments), *activation()]
        decoder = decoder[: -len(activation())]
        sizes, kind = ([flat, h, h], nn.ReLU) if dsprites else ([flat, h], nn.SELU)
        into = [m for i, o in zip(sizes[:-1], sizes[1:], strict=True) for m in (nn.Linear(i, o), kind())]
        sizes = [d, *sizes[::-1]]
        out = [m for i, o in zip(sizes[:-1], sizes[1:], strict=True) for m in (nn.Linear(i, o), kind())]
        self.encoder = nn.Sequential(*encoder, nn.Flatten(), *into)
        self.mean, self.log_std = nn.Linear(h, d), nn.Linear(h, d)
        self.decoder = nn.Sequential(*out, nn.Unflatten(1, shape), *decoder)
        for parameter in self.parameters():
            if parameter.ndim >= 2:
                nn.init.xavier_normal_(parameter)
            else:  # as in the engine; torch's own biases cost MNIST its first hundreds of steps
                nn.init.zeros_(parameter)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Images (n, 1, h, w) -> mean and log-std (n, d)."""
        h = self.encoder(x)
        return self.mean(h), self.log_std(h)


def plain_loss(model: PlainVAE, x: Tensor, attributes: Tensor, setup: params.Setup) -> Tensor:
    """The AR-VAE loss, one attribute after the other, on (m * m, 1) columns of pairs."""
    mean, log_std = model.encode(x)
    z = mean + log_std.exp() * torch.randn_like(mean)
    loss = F.binary_cross_entropy_with_logits(model.decoder(z), x, reduction="sum") / len(x)
    loss = loss + setup.hyperparameters.beta * kl_divergence(mean, log_std)
    for column, dimension in enumerate(setup.dimensions):
        codes, values = z[:, dimension : dimension + 1], attributes[:, column : column + 1]
        codes = torch.tanh(setup.hyperparameters.delta * (codes - codes.t())).reshape(-1, 1)
        loss = loss + setup.hyperparameters.gamma * F.l1_loss(
            codes, torch.sign(values - values.t()).reshape(-1, 1)
        )
    return loss


def plain_steps(model: PlainVAE, dataset: Dataset, setup: params.Setup) -> Iterator[float]:
    """One training step after another, for ever."""
    split = dataset.train
    x = torch.from_numpy(np.asarray(split.x)).float().unsqueeze(1)
    x = x / 255.0 if not isinstance(split.x, PackedImages) else x
    values = torch.from_numpy(split.attributes[:, attribute_columns(dataset, setup)])
    loader = DataLoader(TensorDataset(x, values), setup.batch_size, shuffle=True, drop_last=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    model.train()
    while True:
        for images, attributes in loader:
            optimizer.zero_grad()
            loss = plain_loss(model, images, attributes, setup)
            loss.backward()
            optimizer.step()
            yield loss.item()


def ordinary(dataset: Dataset, setup: params.Setup, seed: int) -> tuple[common.Step, PlainVAE]:
    """The ordinary program: a function that takes one training step, and its model."""
    torch.manual_seed(seed)
    model = PlainVAE(setup)
    steps = plain_steps(model, dataset, setup)
    return lambda: next(steps), model


def random_data(setup: params.Setup, count: int = 2048) -> Dataset:
    """Random pixels in the shape of a data set: their content makes no difference to the time."""
    random = np.random.default_rng(0)
    side = 64 if setup.dataset == "dsprites" else 28
    images = random.integers(0, 2, (count, side, side), dtype=np.uint8)
    x = PackedImages.pack(images) if setup.dataset == "dsprites" else images * np.uint8(255)
    split = Split(x, random.random((count, len(setup.attributes)), dtype=np.float32))
    units = ("",) * len(setup.attributes)
    return Dataset(setup.dataset, "images", split, split, split, setup.attributes, units)


def flops(setup: params.Setup) -> float:
    """Operations of the matrix products and convolutions of a training step, for one image."""
    model, side = PlainVAE(setup), 64 if setup.dataset == "dsprites" else 28
    with FlopCounterMode(display=False) as counter:
        attributes = torch.rand(setup.batch_size, len(setup.attributes))
        plain_loss(model, torch.rand(setup.batch_size, 1, side, side), attributes, setup).backward()
    return counter.get_total_flops() / setup.batch_size


@torch.no_grad()
def judge(model: Any, dataset: Dataset, setup: params.Setup) -> dict[str, float]:
    """Metrics of sampled codes of 2000 test images, and the share of their pixels reconstructed."""
    source = Source(dataset, dataset.test, setup)
    x, attributes = source.take(torch.arange(min(2000, len(source))))
    mean, log_std = (torch.cat(parts) for parts in zip(*map(model.encode, x.split(250)), strict=True))
    z = mean + log_std.exp() * torch.randn(mean.shape, generator=torch.Generator().manual_seed(0))
    decode = model.decoder if isinstance(model, PlainVAE) else model.decode
    right = torch.cat([(decode(part) > 0) for part in z.split(250)]) == (x > 0.5)
    values = metrics.evaluate(z.numpy(), attributes.numpy(), setup.attributes)
    found = {name: float(values[name]) for name in ("interpretability", "scc", "mig")}
    return found | {"reconstruction accuracy": float(right.float().mean())}


BENCH = common.Bench(
    module="benchmarks.images",
    unit="images",
    names=("mnist", "dsprites"),
    rate=RATE,
    random_data=random_data,
    ordinary=ordinary,
    flops=flops,
    judge=judge,
)

if __name__ == "__main__":
    common.main(BENCH, __doc__)
