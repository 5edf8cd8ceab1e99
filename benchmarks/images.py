"""How fast the image models train here: the project's engine against an ordinary float32 program.

    python -m benchmarks.images [--steps 12] [--rounds 2]    speed, in under two minutes
    python -m benchmarks.images --learn 400 --seeds 0 1 2    do both learn equally well? (needs data)

The ordinary program is written as one would: nn.Conv2d in float32 and torch's own memory layout, nn.Dropout,
a DataLoader, one attribute after the other, torch.optim.Adam. Both take the same training steps of AR-VAE at
the paper's batch size of 128. As many processes as cores run at once, with one thread each, as the engine
runs its members; "all cores" is the ordinary program by itself with torch's default threads. Fresh processes
take turns, so that other work on the machine hits all alike; the best round of each counts.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.flop_counter import FlopCounterMode

from arvae import metrics, models, params, paths
from arvae.datasets.contract import Dataset, PackedImages, Split
from arvae.losses import kl_divergence
from arvae.training import Member, loop
from arvae.training.executors import worker_environment
from arvae.training.precision import plan

BATCH, RATE = 128, 1e-3


class PlainVAE(nn.Module):
    """The paper's image VAE in ordinary modules; `channels` tells the two architectures apart."""

    def __init__(self, cell: params.Cell) -> None:
        super().__init__()
        channels, d, h = cell.architecture.channels, cell.latent_dim, cell.architecture.hidden
        dsprites = isinstance(channels, int)
        widths = [1, *([channels] * 4 if dsprites else channels)]
        arguments = (4, 2, 1) if dsprites else (4, 1, 0)
        shape = (channels, 4, 4) if dsprites else (channels[-1], 19, 19)
        flat = int(np.prod(shape))

        def activation() -> list[nn.Module]:
            return [nn.ReLU()] if dsprites else [nn.SELU(), nn.Dropout(cell.architecture.dropout)]

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

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Images (n, 1, h, w) -> mean and log-std (n, d)."""
        h = self.encoder(x)
        return self.mean(h), self.log_std(h)


def plain_loss(model: PlainVAE, x: Tensor, attributes: Tensor, cell: params.Cell) -> Tensor:
    """The AR-VAE loss, one attribute after the other, on (m * m, 1) columns of pairs."""
    mean, log_std = model.encode(x)
    z = mean + log_std.exp() * torch.randn_like(mean)
    loss = F.binary_cross_entropy_with_logits(model.decoder(z), x, reduction="sum") / len(x)
    loss = loss + cell.knobs.beta * kl_divergence(mean, log_std)
    for column, dimension in enumerate(cell.dimensions):
        codes, values = z[:, dimension : dimension + 1], attributes[:, column : column + 1]
        codes = torch.tanh(cell.knobs.delta * (codes - codes.t())).reshape(-1, 1)
        loss = loss + cell.knobs.gamma * F.l1_loss(codes, torch.sign(values - values.t()).reshape(-1, 1))
    return loss


def plain_steps(model: PlainVAE, split: Split, cell: params.Cell) -> Iterator[float]:
    """One training step after another, for ever."""
    x = torch.from_numpy(np.asarray(split.x)).float().unsqueeze(1)
    x = x / 255.0 if not isinstance(split.x, PackedImages) else x
    loader = DataLoader(
        TensorDataset(x, torch.from_numpy(split.attributes)), BATCH, shuffle=True, drop_last=True
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    model.train()
    while True:
        for images, attributes in loader:
            optimizer.zero_grad()
            loss = plain_loss(model, images, attributes, cell)
            loss.backward()
            optimizer.step()
            yield loss.item()


def engine_run(dataset: Dataset, cell: params.Cell, seed: int, steps: int) -> loop.Run:
    """The engine's training of the same cell, at the same constant rate."""
    schedule = cell.schedule.model_copy(
        update={
            "epochs": steps / (len(dataset.train) // BATCH),
            "schedule": "constant",
            "peak": None,
            "warmup": None,
        }
    )
    knobs = cell.knobs.model_copy(update={"learning_rate": RATE})
    cell = cell.model_copy(update={"schedule": schedule, "knobs": knobs})
    return loop.Run(cell, Member(f"seed{seed}", seed), dataset, plan(cell.engine), Path())


def random_data(name: str, cell: params.Cell, count: int = 2048) -> Dataset:
    """Random pixels in the shape of a data set: their content makes no difference to the time."""
    random = np.random.default_rng(0)
    side = 64 if name == "dsprites" else 28
    images = random.integers(0, 2, (count, side, side), dtype=np.uint8)
    x = PackedImages.pack(images) if name == "dsprites" else images * np.uint8(255)
    split = Split(x, random.random((count, len(cell.attributes)), dtype=np.float32))
    units = ("",) * len(cell.attributes)
    return Dataset(name, "images", split, split, split, cell.attributes, units)


def child(way: str, name: str, steps: int) -> dict[str, float]:
    """In a process of its own: median seconds a step, and the peak of this process's matrix products."""
    cell = params.load().cell(name, "arvae")
    data = random_data(name, cell)
    if way == "engine":
        torch.set_num_threads(1)
        run = engine_run(data, cell, 0, 10**6)
        run.model.train()
        step: Callable[[], Any] = run._one_step
    else:
        torch.manual_seed(0)
        generator = plain_steps(PlainVAE(cell), data.train, cell)
        step = lambda: next(generator)  # noqa: E731
    for _ in range(3):
        step()
    times = []
    for _ in range(steps):
        began = time.perf_counter()
        step()
        times.append(time.perf_counter() - began)
    low = way == "engine" and plan(cell.engine).precision == "bfloat16"
    return {"seconds": float(np.median(times)), "peak": peak(torch.bfloat16 if low else torch.float32)}


def peak(dtype: torch.dtype) -> float:
    """Matrix products of 2048 x 2048 this process can do, GFLOP/s."""
    a = torch.ones(2048, 2048, dtype=dtype)
    times = []
    for _ in range(4):
        began = time.perf_counter()
        a.mm(a)
        times.append(time.perf_counter() - began)
    return 2 * 2048**3 / min(times) / 1e9


def flops(cell: params.Cell) -> float:
    """Floating-point operations of the matrix products and convolutions of a training step, in 1e9."""
    model, side = PlainVAE(cell), 64 if cell.dataset == "dsprites" else 28
    with FlopCounterMode(display=False) as counter:
        attributes = torch.rand(BATCH, len(cell.attributes))
        plain_loss(model, torch.rand(BATCH, 1, side, side), attributes, cell).backward()
    return counter.get_total_flops() / 1e9


def measure(way: str, name: str, steps: int, processes: int, threads: int | None) -> dict[str, float]:
    """Images a second of `processes` at once, and the sum of their peaks."""
    environment = dict(os.environ)
    if way == "engine":
        environment = worker_environment(1)
    elif threads is not None:
        environment |= {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    command = [sys.executable, "-m", "benchmarks.images", "--child", way, name, "--steps", str(steps)]
    running = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    answers = [json.loads(process.communicate()[0].splitlines()[-1]) for process in running]
    rate = sum(BATCH / answer["seconds"] for answer in answers)
    return {"rate": rate, "peak": sum(answer["peak"] for answer in answers)}


def speed(steps: int, rounds: int) -> None:
    """Print images a second, the ratio, and the share of the machine's peak, for both data sets."""
    cores = len(os.sched_getaffinity(0))
    settled = plan(params.load().engine)
    print(f"{cores} cores; the engine computes in {settled.precision}, the ordinary program in float32")
    ways = [("ordinary", cores, 1), ("ordinary, all cores", 1, None), ("engine", cores, 1)]
    for name in ("mnist", "dsprites"):
        work = flops(params.load().cell(name, "arvae")) / BATCH
        best: dict[str, dict[str, float]] = {}
        for _ in range(rounds):
            for label, processes, threads in ways:
                found = measure(label.split(",")[0], name, steps, processes, threads)
                if found["rate"] > best.get(label, {"rate": 0.0})["rate"]:
                    best[label] = found
        for label, _, _ in ways:
            rate, top = best[label]["rate"], best[label]["peak"]
            ratio, share = rate / best["ordinary"]["rate"], 100 * rate * work / top
            print(
                f"{name:9s}{label:21s}{rate:8,.0f} images/s{ratio:7.2f} x{rate * work:8,.0f} of {top:5,.0f} "
                f"GFLOP/s ({share:.0f} % of the measured peak)"
            )


def learn(steps: int, seeds: list[int]) -> None:
    """Train both ways on real data for the same number of steps at the same rate; print the test metrics."""
    for name in ("mnist", "dsprites"):
        cell, dataset = params.load().cell(name, "arvae"), Dataset.load(paths.root() / "data/prepared" / name)
        for way in ("ordinary", "engine"):
            for seed in seeds:
                if way == "engine":
                    run = engine_run(dataset, cell, seed, steps)
                    run.go(lambda _: None, print, 1e9)
                    model: Any = models.build(run.cell, **run.build)
                    model.load_state_dict(run.flat.weights())
                else:
                    torch.manual_seed(seed)
                    model = PlainVAE(cell)
                    generator = plain_steps(model, dataset.train, cell)
                    for _ in range(steps):
                        next(generator)
                result = judge(model.eval(), dataset, cell)
                scores = ", ".join(f"{key} {value:.3f}" for key, value in result.items())
                print(f"{name} {way} seed {seed}, {steps} steps: {scores}", flush=True)


@torch.no_grad()
def judge(model: Any, dataset: Dataset, cell: params.Cell) -> dict[str, float]:
    """SCC, interpretability and MIG of sampled codes of 2000 test examples."""
    source = loop.Source(dataset, dataset.test, cell)
    x, attributes = source.take(torch.arange(min(2000, len(source))))
    mean, log_std = (torch.cat(parts) for parts in zip(*map(model.encode, x.split(250)), strict=True))
    z = mean + log_std.exp() * torch.randn(mean.shape, generator=torch.Generator().manual_seed(0))
    values = metrics.evaluate(z.numpy(), attributes.numpy(), cell.attributes)
    return {name: float(values[name]) for name in ("scc", "interpretability", "mig")}


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=12, help="timed steps a process")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--learn", type=int, metavar="STEPS")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(child(*arguments.child, arguments.steps)))
    elif arguments.learn:
        learn(arguments.learn, arguments.seeds)
    else:
        speed(arguments.steps, arguments.rounds)


if __name__ == "__main__":
    main()
