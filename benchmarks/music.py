"""How fast MeasureVAE trains here: the project's way against an ordinary float32 `nn.GRU` model.

    python -m benchmarks.music [--threads 1 2] [--rounds 6]       in under two minutes

Both take the same steps: AR-VAE on batches of 256 measures, half of them teacher-forced, dropout, loss,
gradients, Adam. With several threads the plain program uses them inside torch's operations, as it does by
default; ours trains as many members side by side, as the engine does. They alternate, round by round, so that
other work on the machine hits both alike. The measures are random symbols: content does not change the time.
"""

import argparse
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from arvae import models, params
from arvae.objectives import OBJECTIVES
from arvae.training.precision import FlatModel, Plan, native_bfloat16

BATCH, VOCABULARY, HIDDEN, LATENT = 256, 34, 128, 32


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


def plain_steps(x: Tensor, attributes: Tensor) -> Iterator[None]:
    """Train the plain model for ever, a step at each `next`."""
    torch.manual_seed(0)
    model = PlainMeasureVAE(VOCABULARY)
    adam = torch.optim.Adam(model.parameters(), lr=1e-4)
    random = np.random.default_rng(0)
    while True:
        for tokens, values in DataLoader(TensorDataset(x, attributes), batch_size=BATCH, shuffle=True):
            adam.zero_grad()
            mean, log_std = model.encode(tokens)
            posterior = torch.distributions.Normal(mean, log_std.exp())
            z = posterior.rsample()
            logits = model.decode(z, tokens if random.random() < 0.5 else None)
            reconstruction = F.cross_entropy(logits.flatten(0, 1), tokens.flatten())
            prior = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
            kl = torch.distributions.kl_divergence(posterior, prior).sum(1).mean()
            loss = reconstruction + 0.001 * kl + plain_regularization(z, values, 10.0)
            loss.backward()
            adam.step()
            yield


def our_steps(x: Tensor, attributes: Tensor, precision: str) -> Iterator[None]:
    """Train as the engine does, a step at each `next`."""
    cell = params.load().cell("bach", "arvae")
    generator = torch.Generator().manual_seed(0)
    model = models.build(cell, VOCABULARY, generator)
    flat = FlatModel(model, Plan("cpu", precision, 1), 1e-4)
    models.set_generator(model, generator)
    model.train()
    objective = OBJECTIVES[cell.knobs.objective]
    while True:
        for index in torch.randperm(len(x), generator=generator).split(BATCH):
            flat.zero_grad()
            objective(model, x[index], attributes[index], cell, generator)["loss"].backward()
            flat.step(1e-4)
            yield


def operations() -> float:
    """Floating-point operations of the matrix products of one measure's training step (3 x forward)."""
    h, gates = HIDDEN, 3 * HIDDEN
    encoder = 24 * 2 * gates * (h + 2 * h + h)  # two layers; the first one's input is a table
    decoder = 4 * gates * (h + 2 * h) + 24 * gates * (h + 2 * h) + 4 * h * (3 * h + gates)
    dense = 2 * 4 * h * 256 + 2 * 256 * LATENT + LATENT * 2 * h + 24 * h * VOCABULARY
    return 3 * 2.0 * (encoder + decoder + dense)


def peak(dtype: torch.dtype, seconds: float = 1.0) -> float:
    """Floating-point operations a second of large matrix products on one thread, the best of many."""
    a, b = (torch.randn(1024, 1024).to(dtype) for _ in range(2))
    best, end = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        best = max(best, 4 * 2 * 1024**3 / _timed(lambda: a @ b, 4))
    return best


def _timed(action: Callable[[], object], times: int) -> float:
    began = time.perf_counter()
    for _ in range(times):
        action()
    return time.perf_counter() - began


def _serve(pipe: Connection, precision: str | None, threads: int) -> None:
    """A process that trains (precision None: plain), as many steps at a time as the pipe asks for."""
    torch.set_num_threads(threads)
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(VOCABULARY, (BATCH * 16, 24), generator=generator)
    attributes = torch.rand(len(x), 4, generator=generator)
    steps = our_steps(x, attributes, precision) if precision else plain_steps(x, attributes)
    while (count := pipe.recv()) > 0:
        for _ in range(count):
            next(steps)
        pipe.send("done")


class Runner:
    """`processes` processes that train side by side with `threads` threads each."""

    def __init__(self, precision: str | None, processes: int, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipes, self.count = [], 6 if precision else 2  # steps a round, of each process
        for _ in range(processes):
            here, there = context.Pipe()
            context.Process(target=_serve, args=(there, precision, threads), daemon=True).start()
            self.pipes.append(here)

    def rate(self) -> float:
        """Measures a second of all together, over one round."""
        began = time.perf_counter()
        for pipe in self.pipes:
            pipe.send(self.count)
        for pipe in self.pipes:
            pipe.recv()
        return len(self.pipes) * self.count * BATCH / (time.perf_counter() - began)

    def stop(self) -> None:
        """End the processes."""
        for pipe in self.pipes:
            pipe.send(0)


def compare(threads: int, rounds: int) -> None:
    """Print a table for `threads` threads in all: the plain program's, or as many one-thread members."""
    runners = {"plain nn.GRU, float32": Runner(None, 1, threads)}
    precisions = ("float32", "bfloat16") if native_bfloat16() else ("float32",)
    runners |= {f"ours, {precision}": Runner(precision, threads, 1) for precision in precisions}
    rates: dict[str, list[float]] = {name: [] for name in runners}
    for turn in range(rounds + 1):
        for name, runner in runners.items():
            rate = runner.rate()
            if turn > 0:  # the first one only warms up
                rates[name].append(rate)
    for runner in runners.values():
        runner.stop()
    print(f"\n{threads} thread{'s' if threads > 1 else ''}: best round (median), times plain, share of peak")
    first = rates["plain nn.GRU, float32"]
    for name, values in rates.items():
        top = threads * peak(torch.bfloat16 if "bfloat16" in name else torch.float32)
        ratio, middle = max(values) / max(first), statistics.median(values) / statistics.median(first)
        print(
            f"{name:>22} {max(values):6,.0f} ({statistics.median(values):6,.0f}) measures/s"
            f"  {ratio:4.1f} x ({middle:4.1f} x)"
            f"  {100 * max(values) * operations() / top:3.0f} % of {top / 1e9:,.0f} GFLOP/s",
            flush=True,
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, nargs="*", help="default: 1, and one a core")
    parser.add_argument("--rounds", type=int, default=6, help="rounds; in each, some steps of each program")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print(f"MeasureVAE, AR-VAE training steps of {BATCH} measures, {operations() / 1e6:.0f} MFLOP a measure")
    for threads in arguments.threads or sorted({1, os.cpu_count() or 1}):
        compare(threads, arguments.rounds)


if __name__ == "__main__":
    main()
