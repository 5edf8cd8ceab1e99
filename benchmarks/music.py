"""How fast MeasureVAE trains here, and how well: the engine against an ordinary `nn.GRU` program.

    python -m benchmarks.music [--steps 12] [--rounds 2]     speed, in about two minutes
    python -m benchmarks.music --learn 300 --seeds 0 1 2     and: are both equally good? (needs data)
    python -m benchmarks.music --steps 0 --learn 300         only that
    python -m benchmarks.music --steps 0 --profile           where the time of a step goes

Both take the same steps: AR-VAE on batches of 256 measures, half of them teacher-forced, dropout, loss,
gradients, Adam; see `benchmarks.common`.
"""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from arvae import metrics, params
from arvae.datasets.contract import Dataset, Split
from arvae.music import coding as music
from arvae.training.batches import Source, attribute_columns
from benchmarks import common

VOCABULARY, HIDDEN, LATENT = music.Vocabulary().size, 128, 32
RATE = 2e-3


class PlainMeasureVAE(nn.Module):
    """MeasureVAE as one would write it: `nn.GRU`, one step at a time in the decoder."""

    def __init__(self, vocabulary: int, dropout: float = 0.5) -> None:
        super().__init__()
        self.embed_in = nn.Embedding(vocabulary, 10)
        self.encoder = nn.GRU(10, HIDDEN, 2, batch_first=True, bidirectional=True, dropout=dropout)
        self.mean = nn.Sequential(nn.Linear(4 * HIDDEN, 256), nn.SELU(), nn.Linear(256, LATENT))
        self.log_std = nn.Sequential(nn.Linear(4 * HIDDEN, 256), nn.SELU(), nn.Linear(256, LATENT))
        self.beat_start = nn.Sequential(nn.Linear(LATENT, 2 * HIDDEN), nn.SELU())
        self.beat_input = nn.Parameter(torch.zeros(1))
        self.beat = nn.GRU(1, HIDDEN, 2, batch_first=True)
        self.tick_start = nn.Sequential(nn.Linear(HIDDEN, 2 * HIDDEN), nn.SELU())
        self.tick_input = nn.Sequential(nn.Linear(HIDDEN, HIDDEN), nn.SELU())
        self.embed_out = nn.Embedding(vocabulary, 10)
        self.first_symbol = nn.Parameter(torch.zeros(10))
        self.tick = nn.GRU(10 + HIDDEN, HIDDEN, 2, batch_first=True)
        self.logits = nn.Sequential(nn.Linear(HIDDEN, vocabulary), nn.ReLU())
        for parameter in self.parameters():
            if parameter.ndim >= 2:
                nn.init.xavier_normal_(parameter)
            else:  # as in the engine
                nn.init.zeros_(parameter)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Symbols (n, 24) -> mean and log-std (n, 32)."""
        _, last = self.encoder(self.embed_in(x))
        last = last.transpose(0, 1).flatten(1)
        return self.mean(last), self.log_std(last)

    def decode(self, z: Tensor, tokens: Tensor | None) -> Tensor:
        """Codes (n, 32) -> logits (n, 24, V)."""
        n = len(z)
        start = self.beat_start(z).view(n, 2, HIDDEN).transpose(0, 1).contiguous()
        beats, _ = self.beat(self.beat_input.expand(n, 4, 1), start)
        before, logits = self.first_symbol.expand(n, 10), []
        for beat in beats.unbind(1):
            state = self.tick_start(beat).view(n, 2, HIDDEN).transpose(0, 1).contiguous()
            constant = self.tick_input(beat)
            for _ in range(6):
                out, state = self.tick(torch.cat([before, constant], 1)[:, None], state)
                logits.append(self.logits(out[:, 0]))
                chosen = logits[-1].argmax(1) if tokens is None else tokens[:, len(logits) - 1]
                before = self.embed_out(chosen)
        return torch.stack(logits, 1)


def plain_regularization(z: Tensor, attributes: Tensor, delta: float) -> Tensor:
    """L_AR, one attribute after the other, on matrices of all pairs."""
    total = z.new_zeros(())
    for column in range(attributes.shape[1]):
        codes, values = z[:, column : column + 1], attributes[:, column : column + 1]
        difference = torch.tanh(delta * (codes - codes.t()))
        total = total + F.l1_loss(difference, torch.sign(values - values.t()))
    return total


def plain_loss(
    model: PlainMeasureVAE, x: Tensor, attributes: Tensor, setup: params.Setup, forced: bool
) -> Tensor:
    """The AR-VAE loss of a batch of symbols (n, 24)."""
    mean, log_std = model.encode(x)
    z = mean + log_std.exp() * torch.randn_like(mean)
    logits = model.decode(z, x if forced else None)
    loss = F.cross_entropy(logits.flatten(0, 1), x.flatten())
    posterior = torch.distributions.Normal(mean, log_std.exp(), validate_args=False)
    prior = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
    loss = (
        loss + setup.hyperparameters.beta * torch.distributions.kl_divergence(posterior, prior).sum(1).mean()
    )
    ordered = plain_regularization(z[:, list(setup.dimensions)], attributes, setup.hyperparameters.delta)
    return loss + setup.hyperparameters.gamma * ordered


def plain_steps(model: PlainMeasureVAE, dataset: Dataset, setup: params.Setup) -> Iterator[None]:
    """One training step after another, for ever."""
    tokens = torch.from_numpy(dataset.vocabulary.encode(dataset.train.x)).long()
    columns = attribute_columns(dataset, setup)
    values = torch.from_numpy(np.ascontiguousarray(dataset.train.attributes[:, columns]))
    loader = DataLoader(TensorDataset(tokens, values), setup.batch_size, shuffle=True, drop_last=True)
    adam = torch.optim.Adam(model.parameters(), lr=RATE)
    forced = itertools.cycle((True, False))
    model.train()
    while True:
        for x, attributes in loader:
            adam.zero_grad()
            plain_loss(model, x, attributes, setup, next(forced)).backward()
            adam.step()
            yield


def ordinary(dataset: Dataset, setup: params.Setup, seed: int) -> tuple[common.Step, PlainMeasureVAE]:
    """The ordinary program: a function that takes one training step, and its model."""
    torch.manual_seed(seed)
    model = PlainMeasureVAE(VOCABULARY)
    steps = plain_steps(model, dataset, setup)
    return lambda: next(steps), model


def random_data(setup: params.Setup, count: int = 4096) -> Dataset:
    """Random measures: their content makes no difference to the time."""
    random, vocabulary = np.random.default_rng(0), music.Vocabulary()
    x = vocabulary.decode(random.integers(0, vocabulary.size, (count, 24)))
    split = Split(x.astype(np.int16), random.random((count, len(setup.attributes)), dtype=np.float32))
    units = ("",) * len(setup.attributes)
    return Dataset(
        setup.dataset, "music", split, split, split, setup.attributes, units, vocabulary=vocabulary
    )


def flops(setup: params.Setup) -> float:
    """Operations of the matrix products of a training step (3 x forward), for one measure."""
    h, gates = HIDDEN, 3 * HIDDEN
    encoder = 24 * 2 * gates * (h + 2 * h + h)  # two layers; the first one's input is a table
    decoder = 4 * gates * (h + 2 * h) + 24 * gates * (h + 2 * h) + 4 * h * (3 * h + gates)
    dense = 2 * 4 * h * 256 + 2 * 256 * LATENT + LATENT * 2 * h + 24 * h * VOCABULARY
    return 3 * 2.0 * (encoder + decoder + dense)


@torch.no_grad()
def judge(model: Any, dataset: Dataset, setup: params.Setup) -> dict[str, float]:
    """Metrics of sampled codes of 2000 test measures, and the share of their symbols reconstructed."""
    source = Source(dataset, dataset.test, setup)
    x, attributes = source.take(torch.arange(min(2000, len(source))))
    mean, log_std = model.encode(x)
    z = mean + log_std.exp() * torch.randn(mean.shape, generator=torch.Generator().manual_seed(0))
    logits = model.decode(z, None)
    values = metrics.evaluate(z.numpy(), attributes.numpy(), setup.attributes)
    found = {name: float(values[name]) for name in ("interpretability", "scc", "mig")}
    cross_entropy = float(F.cross_entropy(logits.flatten(0, 1), x.flatten()))
    right = float((logits.argmax(-1) == x).float().mean())
    return found | {"reconstruction (nats)": cross_entropy, "reconstruction accuracy": right}


BENCH = common.Bench(
    module="benchmarks.music",
    unit="measures",
    names=("bach",),
    rate=RATE,
    random_data=random_data,
    ordinary=ordinary,
    flops=flops,
    judge=judge,
)

if __name__ == "__main__":
    common.main(BENCH, __doc__)
