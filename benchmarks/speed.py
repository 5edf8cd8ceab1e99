"""How fast AR-VAE trains here, and how well: the fast path against the plain one.

    python -m benchmarks.speed [mnist dsprites bach]              speed, in about four minutes
    python -m benchmarks.speed --learn 300 --seeds 0 1 2          and: are both equally good? (needs data)
    python -m benchmarks.speed --steps 0 --learn 300              only that
    python -m benchmarks.speed --steps 0 --profile                where the time of a step goes

Both take the same steps of the engine's loop: batches, loss, gradients, Adam. The plain path (`engine.fast:
false`) is an ordinary program: torch's own modules and memory layout, nn.Dropout, nn.GRU, float32.

Speed: as many one-thread processes as cores at once, as the engine runs its runs; the plain path also by
itself with torch's default threads. Fresh processes take turns, so that other work on the machine hits all
alike; the best round of each counts. Learning: on the real data, the same number of steps at the same
constant rate, a process a seed.
"""

import argparse
import concurrent.futures
import dataclasses
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from arvae import losses, machine, metrics, models, params, paths
from arvae.datasets.contract import Dataset, PackedImages, Split
from arvae.music.coding import Vocabulary
from arvae.training import Run, loop
from arvae.training.batches import Source
from arvae.training.executors import worker_environment
from arvae.training.precision import plan

NAMES = ("mnist", "dsprites", "bach")
RATES = {"images": 1e-3, "music": 2e-3}  # of Adam
WARM_UP = 4  # steps before the clock starts: memory is touched for the first time in them
OPERATORS = 8  # of a profile that are shown
OTHERS = "outside of torch's operators: compiled kernels, Python"
LEAST = 0.02  # differences of scores up to this one never count


@dataclasses.dataclass(frozen=True)
class Way:
    """A path and how it is run; threads None: as many as torch takes by default."""

    label: str
    path: str  # plain, fast, or fast-float32
    processes: int
    threads: int | None


def ways(cores: int, precision: str) -> list[Way]:
    """The ways compared on this machine; `precision` is what the fast path computes in here."""
    found = [
        Way(f"plain, {cores} processes", "plain", cores, 1),
        Way("plain, torch's threads", "plain", 1, None),
        Way(f"fast, {cores} processes", "fast", cores, 1),
    ]
    return found if precision == "float32" else [*found, Way("fast, in float32", "fast-float32", cores, 1)]


def setup_of(name: str, path: str, **engine: Any) -> params.Setup:
    """AR-VAE on a data set, on the processor (or as `engine` says), by a path, at a constant rate."""
    setup = params.load().setup(name, "arvae")
    own = {"device": "cpu", "fast": path != "plain"}
    own |= {"precision": "float32"} if path == "fast-float32" else {}
    rate = {"learning_rate": RATES[setup.kind]}
    setup = setup.model_copy(update={"hyperparameters": setup.hyperparameters.model_copy(update=rate)})
    return with_engine(setup, **own | engine)


def with_engine(setup: params.Setup, **engine: Any) -> params.Setup:
    """The same, run in another way."""
    return setup.model_copy(update={"engine": setup.engine.model_copy(update=engine)})


def trainer(setup: params.Setup, dataset: Dataset, seed: int, steps: int) -> loop.Trainer:
    """A run of so many steps, about to train."""
    epochs = steps / (len(dataset.train) // setup.batch_size)
    setup = setup.model_copy(update={"schedule": params.Schedule(epochs=epochs, schedule="constant")})
    found = loop.Trainer(setup, Run(f"seed{seed}", seed), dataset, plan(setup.engine), Path())
    found.model.train()
    return found


def random_data(setup: params.Setup, count: int = 1024) -> Dataset:
    """Examples whose content makes no difference to the time."""
    random, vocabulary = np.random.default_rng(0), None
    if setup.kind == "music":
        vocabulary = Vocabulary()
        x = vocabulary.decode(random.integers(0, vocabulary.size, (count, 24))).astype(np.int16)
    else:
        side = 64 if setup.dataset == "dsprites" else 28
        x = random.integers(0, 2, (count, side, side), dtype=np.uint8)
        x = PackedImages.pack(x) if setup.dataset == "dsprites" else x * np.uint8(255)
    split = Split(x, random.random((count, len(setup.attributes)), dtype=np.float32))
    units = ("",) * len(setup.attributes)
    return Dataset(
        setup.dataset, setup.kind, split, split, split, setup.attributes, units, vocabulary=vocabulary
    )


def flops(setup: params.Setup) -> float:
    """Operations of the matrix products and convolutions of a training step, for one example."""
    one = trainer(setup_of(setup.dataset, "plain"), random_data(setup), 0, 1)
    x, attributes = one.train.take(one.order.batch(0))
    with FlopCounterMode(display=False) as counter:
        one.loss(one.model, x, attributes, one.setup, one.generator)["loss"].backward()
    return counter.get_total_flops() / len(x)


def timed(step: Any, steps: int) -> float:
    """Seconds of so many steps, after some that warm up."""
    for _ in range(WARM_UP):
        step()
    began = time.perf_counter()
    for _ in range(steps):
        step()
    return time.perf_counter() - began


def child_speed(path: str, name: str, steps: int) -> dict[str, float]:
    """In a process of its own: seconds a step (mean), and the peak of this process's matrix products."""
    setup = setup_of(name, path)
    seconds = timed(trainer(setup, random_data(setup), 0, 10**6)._one_step, steps) / steps
    return {"seconds": seconds, "peak": peak(plan(setup.engine).dtype)}


def peak(dtype: torch.dtype) -> float:
    """Matrix products of 2048 x 2048 this process can do, operations a second."""
    a = torch.ones(2048, 2048, dtype=dtype)
    times = []
    for _ in range(4):
        began = time.perf_counter()
        a.mm(a)
        times.append(time.perf_counter() - began)
    return 2 * 2048**3 / min(times)


class OperatorTimes(TorchDispatchMode):
    """Adds up how long each of torch's operators takes.

    Not torch's profiler: under it the ReLU's gradient of dSprites takes a quarter of the step; timed so, in
    the same program, a twenty-fifth. Why is not known.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seconds: Counter[str] = Counter()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        began = time.perf_counter()
        result = function(*args, **(kwargs or {}))
        self.seconds[function.overloadpacket.__name__] += time.perf_counter() - began
        return result


def child_profile(path: str, name: str, steps: int) -> dict[str, float]:
    """In a process of its own: the share of the time that each operator takes by itself, largest first.

    Shares of the time of a step that is not watched; OTHERS: what is left of it.
    """
    setup = setup_of(name, path)
    step = trainer(setup, random_data(setup), 0, 10**6)._one_step
    total = timed(step, steps)
    with OperatorTimes() as seen:
        for _ in range(steps):
            step()
    whole = max(total, seen.seconds.total())  # on a busy machine the watched steps may take longer
    shares = {name: seconds / whole for name, seconds in seen.seconds.most_common()}
    return shares | {OTHERS: 1 - sum(shares.values())}


def child_learn(path: str, name: str, steps: int, seed: int, prepared: Path) -> dict[str, float]:
    """In a process of its own: train on the real data, and judge what was learned."""
    dataset = Dataset.load(prepared / name, name)
    run = trainer(setup_of(name, path), dataset, seed, steps)
    run.go(lambda _: None, print, 1e9)
    model = models.build(run.setup, **run.build).eval()
    model.load_state_dict(run.optimizer.weights())
    return judge(model, dataset, run.setup)


@torch.no_grad()
def judge(model: Any, dataset: Dataset, setup: params.Setup) -> dict[str, float]:
    """Metrics of sampled codes of 2000 test examples, and how well they are reconstructed from them."""
    source = Source(dataset, dataset.test, setup)
    x, attributes = source.take(torch.arange(min(2000, len(source))))
    mean, log_std = (torch.cat(parts) for parts in zip(*map(model.encode, x.split(250)), strict=True))
    z = mean + log_std.exp() * torch.randn(mean.shape, generator=torch.Generator().manual_seed(0))
    logits = torch.cat([model.decode(part) for part in z.split(250)])
    values = metrics.evaluate(z.numpy(), attributes.numpy(), setup.attributes)
    found = {name: float(values[name]) for name in ("interpretability", "scc", "mig")}
    if setup.kind == "music":
        found["reconstruction (nats)"] = losses.reconstruction_music(logits, x).item()
        right = logits.argmax(-1) == x
    else:
        right = (logits > 0) == (x > 0.5)
    return found | {"reconstruction accuracy": right.float().mean().item()}


def start(path: str, threads: int | None, arguments: Sequence[str]) -> subprocess.Popen[str]:
    """A fresh process that does its part and prints the outcome as a last line of JSON."""
    environment = dict(os.environ) if threads is None else worker_environment(threads)
    command = [sys.executable, "-m", "benchmarks.speed", "--child", path, *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, cwd=paths.root())


def answer(process: subprocess.Popen[str]) -> dict[str, float]:
    """What a process printed last; RuntimeError where it failed."""
    printed = process.communicate()[0]
    if process.returncode:
        raise RuntimeError(f"{' '.join(map(str, process.args))} ended with {process.returncode}; see above")
    return json.loads(printed.splitlines()[-1])


def speed(name: str, steps: int, rounds: int) -> None:
    """Print the throughput of every way, its ratio to both plain ones, and the share of the peak."""
    cores = machine.cores()
    setup = setup_of(name, "fast")
    compared = ways(cores, plan(setup.engine).precision)
    best = {way: {"rate": 0.0, "peak": 0.0} for way in compared}
    for _ in range(rounds):
        for way in compared:
            arguments = [name, "--steps", str(steps)]
            running = [start(way.path, way.threads, arguments) for _ in range(way.processes)]
            found = [answer(process) for process in running]
            rate = sum(setup.batch_size / one["seconds"] for one in found)
            if rate > best[way]["rate"]:
                best[way] = {"rate": rate, "peak": sum(one["peak"] for one in found)}
    print(*lines("measures" if setup.kind == "music" else "images", name, flops(setup), best), sep="\n")


def lines(unit: str, name: str, work: float, best: dict[Way, dict[str, float]]) -> list[str]:
    """The table of one data set: ways in order, the first two of them the plain path's."""
    first, second, *_ = (found["rate"] for found in best.values())
    head = f"times {'plain:':>9} processes, threads"
    found = [f"\n{name} ({work / 1e6:,.0f} MFLOP a training step and example){'':12}{head}   share of peak"]
    for way, one in best.items():
        rate = one["rate"]
        found.append(
            f"  {way.label:27}{rate:9,.0f} {unit}/s{rate / first:16.2f} x {rate / second:8.2f} x "
            f"{rate * work / 1e9:8,.0f} of {one['peak'] / 1e9:,.0f} GFLOP/s "
            f"({100 * rate * work / one['peak']:.0f} %)"
        )
    return found


def profile(name: str, steps: int) -> None:
    """Print where the time of a training step goes, on both paths, with one thread each."""
    for path in ("plain", "fast"):
        shares = answer(start(path, 1, [name, "--steps", str(steps), "--profile"]))
        print(f"\n{name}, {path}: share of the time of a training step, by operator")
        for operator, share in [*list(shares.items())[:OPERATORS], (OTHERS, shares[OTHERS])]:
            print(f"  {100 * share:5.1f} %  {operator}", flush=True)


def learn(name: str, steps: int, seeds: list[int], prepared: Path) -> None:
    """Train by both paths with every seed; print the scores and whether they agree within seed noise."""
    tasks = [(path, seed) for seed in seeds for path in ("plain", "fast")]

    def one(task: tuple[str, int]) -> dict[str, float]:
        path, seed = task
        arguments = [name, "--learn", str(steps), "--seeds", str(seed), "--data", str(prepared)]
        return answer(start(path, 1, arguments))

    with concurrent.futures.ThreadPoolExecutor(machine.cores()) as pool:
        found = dict(zip(tasks, pool.map(one, tasks), strict=True))
    print(f"\n{name} after {steps} steps, {len(seeds)} seeds: mean (sd)")
    for metric in next(iter(found.values())):
        plain, fast = ([found[path, seed][metric] for seed in seeds] for path in ("plain", "fast"))
        print(f"  {metric:24}{agreement(plain, fast)}", flush=True)


def agreement(
    plain: Sequence[float], fast: Sequence[float], called: Sequence[str] = ("plain", "fast")
) -> str:
    """Both means with their spread, their difference, and whether it is within the seeds' noise.

    Within: at most two standard deviations of the difference of single runs, and at least LEAST.
    """
    means = [float(np.mean(values)) for values in (plain, fast)]
    spreads = [float(np.std(values, ddof=1)) if len(values) > 1 else None for values in (plain, fast)]
    gap = means[1] - means[0]
    noise = max(LEAST, 2 * float(np.hypot(*(spread or 0.0 for spread in spreads))))
    parts = [
        f"{what} {mean:.3f}{'' if spread is None else f' ({spread:.3f})'}"
        for what, mean, spread in zip(called, means, spreads, strict=True)
    ]
    verdict = "equal within seed noise" if abs(gap) <= noise else "NOT EQUAL"
    return f"{', '.join(parts)}, difference {gap:+.3f}: {verdict} (±{noise:.3f})"


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help=f"of {', '.join(NAMES)}; none: all")
    parser.add_argument("--steps", type=int, default=12, help="timed steps a process; 0: no timing")
    parser.add_argument("--rounds", type=int, default=2, help="fresh processes of each way; the best counts")
    parser.add_argument("--profile", action="store_true", help="show also where the time goes")
    parser.add_argument("--learn", type=int, metavar="STEPS", help="compare also what is learned in so many")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--data", type=Path, help="where the prepared data sets are: data/prepared")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if unknown := [name for name in given.names if name not in NAMES]:  # not `choices`: it refuses none
        parser.error(f"unknown {' '.join(unknown)}: there are {', '.join(NAMES)}")
    if given.rounds < 1:
        parser.error(f"--rounds {given.rounds}: at least 1")
    prepared = (given.data or paths.root() / "data" / "prepared").resolve()
    for name in (given.names or NAMES) if given.learn else ():
        if not (prepared / name / "manifest.json").is_file():
            parser.error(
                f"--learn needs data, and there are none at {prepared / name}: dvc repro data@{name}"
            )
    if given.child:
        (name,) = given.names
        if given.learn:
            torch.set_num_threads(1)
            outcome = child_learn(given.child, name, given.learn, given.seeds[0], prepared)
        else:
            child = child_profile if given.profile else child_speed
            outcome = child(given.child, name, given.steps)
        print(json.dumps(outcome))
        return
    precision = plan(setup_of("mnist", "fast").engine).precision
    print(f"{machine.cores()} cores; the fast path computes in {precision}, the plain in float32")
    for name in given.names or NAMES:
        if given.steps:
            speed(name, given.steps, given.rounds)
        if given.profile:
            profile(name, given.steps or 4)
        if given.learn:
            learn(name, given.learn, given.seeds, prepared)


if __name__ == "__main__":
    main()
