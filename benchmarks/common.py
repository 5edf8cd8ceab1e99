"""What the benchmarks share: programs that take turns, the machine's peak, learning that is equal or not.

Two programs train AR-VAE: the project's engine, and an ordinary one written as one would (float32, torch's
own modules and memory layout, nn.Dropout, a DataLoader, one attribute after the other, torch.optim.Adam).

Speed: as many one-thread processes as cores at once, as the engine runs its runs; the ordinary program so
too, and by itself with torch's default threads. Fresh processes take turns, so that other work on the machine
hits all alike; the best round of each counts.

Learning: both train on the real data, the same number of steps at the same constant rate, a process a seed.
"""

import argparse
import concurrent.futures
import dataclasses
import itertools
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from arvae import params, paths
from arvae.datasets.contract import Dataset
from arvae.report.tables import statistics
from arvae.training import Run, loop
from arvae.training.executors import worker_environment
from arvae.training.precision import plan

WARM_UP = 4  # steps before the clock starts: memory is touched for the first time in them
OPERATORS = 8  # of a profile that are shown
LEAST = 0.02  # differences of scores up to this one never count

Step = Callable[[], Any]


@dataclasses.dataclass(frozen=True)
class Bench:
    """One kind of data: what is trained, and how the ordinary program does it.

    random_data: (setup) -> data set, whose content makes no difference to the time; ordinary: (data set, setup,
    seed) -> a function that takes one training step, and the model; flops: (setup) -> operations of a training
    step, for one example; judge: (model, data set, setup) -> scores of the trained model.
    """

    module: str
    unit: str
    names: tuple[str, ...]
    rate: float
    random_data: Callable[[params.Setup], Dataset]
    ordinary: Callable[[Dataset, params.Setup, int], tuple[Step, Any]]
    flops: Callable[[params.Setup], float]
    judge: Callable[[Any, Dataset, params.Setup], dict[str, float]]


@dataclasses.dataclass(frozen=True)
class Way:
    """A program and how it is run; threads None: as many as torch takes by default."""

    label: str
    program: str  # ordinary, engine, or engine-float32
    processes: int
    threads: int | None


def ways(cores: int, precision: str) -> list[Way]:
    """The ways compared on this machine; `precision` is what the engine computes in here."""
    found = [
        Way(f"ordinary, {cores} processes", "ordinary", cores, 1),
        Way("ordinary, torch's threads", "ordinary", 1, None),
        Way(f"engine, {cores} processes", "engine", cores, 1),
    ]
    if precision != "float32":
        found.append(Way("engine, in float32", "engine-float32", cores, 1))
    return found


def engine_run(bench: Bench, dataset: Dataset, setup: params.Setup, seed: int, steps: int) -> loop.Run:
    """The engine's training of a setup for a number of steps at the benchmark's constant rate."""
    schedule = params.Schedule(epochs=steps / (len(dataset.train) // setup.batch_size), schedule="constant")
    hyperparameters = setup.hyperparameters.model_copy(update={"learning_rate": bench.rate})
    setup = setup.model_copy(update={"schedule": schedule, "hyperparameters": hyperparameters})
    return loop.Run(setup, Run(f"seed{seed}", seed), dataset, plan(setup.engine), Path())


def cell_of(name: str, program: str) -> params.Setup:
    """AR-VAE on a data set, on the processor, in the precision the program computes in."""
    setup = params.load().setup(name, "arvae")
    changed = {"device": "cpu"} | ({"precision": "float32"} if program == "engine-float32" else {})
    return setup.model_copy(update={"engine": setup.engine.model_copy(update=changed)})


def _prepared(bench: Bench, program: str, name: str) -> tuple[Step, bool]:
    """A training step of a program on random data, and whether it computes in bfloat16."""
    setup = cell_of(name, program)
    data = bench.random_data(setup)
    if program == "ordinary":
        return bench.ordinary(data, setup, 0)[0], False
    torch.set_num_threads(1)
    run = engine_run(bench, data, setup, 0, 10**6)
    run.model.train()
    if hasattr(run.model, "coin"):  # half of the steps are teacher-forced: exactly so, here too
        run.model.coin = itertools.cycle((True, False)).__next__
    return run._one_step, program == "engine" and plan(setup.engine).precision == "bfloat16"


def child_speed(bench: Bench, program: str, name: str, steps: int) -> dict[str, float]:
    """In a process of its own: seconds a step (mean), and the peak of this process's matrix products."""
    step, low = _prepared(bench, program, name)
    for _ in range(WARM_UP):
        step()
    began = time.perf_counter()
    for _ in range(steps):
        step()
    seconds = (time.perf_counter() - began) / steps
    return {"seconds": seconds, "peak": peak(torch.bfloat16 if low else torch.float32)}


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


OTHERS = "outside of torch's operators: compiled kernels, Python"


def child_profile(bench: Bench, program: str, name: str, steps: int) -> dict[str, float]:
    """In a process of its own: the share of the time that each operator takes by itself, largest first.

    Shares of the time of a step that is not watched; OTHERS: what is left of it.
    """
    step, _ = _prepared(bench, program, name)
    for _ in range(WARM_UP):
        step()
    began = time.perf_counter()
    for _ in range(steps):
        step()
    total = time.perf_counter() - began
    with OperatorTimes() as seen:
        for _ in range(steps):
            step()
    whole = max(total, seen.seconds.total())  # on a busy machine the watched steps may take longer
    shares = {name: seconds / whole for name, seconds in seen.seconds.most_common()}
    return shares | {OTHERS: 1 - sum(shares.values())}


def child_learn(
    bench: Bench, program: str, name: str, steps: int, seed: int, prepared: Path
) -> dict[str, float]:
    """In a process of its own: train on the real data, and judge what was learned."""
    setup, dataset = cell_of(name, program), Dataset.load(prepared / name, name)
    if program == "ordinary":
        step, model = bench.ordinary(dataset, setup, seed)
        for _ in range(steps):
            step()
    else:
        run = engine_run(bench, dataset, setup, seed, steps)
        run.go(lambda _: None, print, 1e9)
        model = run.model.float()
        model.load_state_dict(run.flat.weights())
    return bench.judge(model.eval(), dataset, setup)


def peak(dtype: torch.dtype) -> float:
    """Matrix products of 2048 x 2048 this process can do, operations a second."""
    a = torch.ones(2048, 2048, dtype=dtype)
    times = []
    for _ in range(4):
        began = time.perf_counter()
        a.mm(a)
        times.append(time.perf_counter() - began)
    return 2 * 2048**3 / min(times)


def start(module: str, program: str, threads: int | None, arguments: Sequence[str]) -> subprocess.Popen[str]:
    """A fresh process that does its part and prints the outcome as a last line of JSON."""
    environment = dict(os.environ)
    if program != "ordinary":
        environment = worker_environment(1)
    elif threads is not None:
        environment |= {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    command = [sys.executable, "-m", module, "--child", program, *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, cwd=paths.root())


def answer(process: subprocess.Popen[str]) -> dict[str, float]:
    """What a process printed last; RuntimeError where it failed."""
    printed = process.communicate()[0]
    if process.returncode:
        raise RuntimeError(f"{' '.join(map(str, process.args))} ended with {process.returncode}; see above")
    return json.loads(printed.splitlines()[-1])


def speed(bench: Bench, steps: int, rounds: int) -> None:
    """Print the throughput of every way, its ratio to both ordinary ones, and the share of the peak."""
    cores = len(os.sched_getaffinity(0))
    for name in bench.names:
        setup = cell_of(name, "engine")
        compared = ways(cores, plan(setup.engine).precision)
        best = {way: {"rate": 0.0, "peak": 0.0} for way in compared}
        for _ in range(rounds):
            for way in compared:
                arguments = [name, "--steps", str(steps)]
                running = [
                    start(bench.module, way.program, way.threads, arguments) for _ in range(way.processes)
                ]
                found = [answer(process) for process in running]
                rate = sum(setup.batch_size / one["seconds"] for one in found)
                if rate > best[way]["rate"]:
                    best[way] = {"rate": rate, "peak": sum(one["peak"] for one in found)}
        print(*lines(bench.unit, name, bench.flops(setup), best), sep="\n", flush=True)


def lines(unit: str, name: str, work: float, best: dict[Way, dict[str, float]]) -> list[str]:
    """The table of one data set: ways in order, the first two of them the ordinary program's."""
    first, second, *_ = (found["rate"] for found in best.values())
    head = f"times {'ordinary:':>9} processes, threads"
    found = [f"\n{name} ({work / 1e6:,.0f} MFLOP a training step and example){'':12}{head}   share of peak"]
    for way, one in best.items():
        rate = one["rate"]
        found.append(
            f"  {way.label:27}{rate:9,.0f} {unit}/s{rate / first:16.2f} x {rate / second:8.2f} x "
            f"{rate * work / 1e9:8,.0f} of {one['peak'] / 1e9:,.0f} GFLOP/s "
            f"({100 * rate * work / one['peak']:.0f} %)"
        )
    return found


def profile(bench: Bench, steps: int) -> None:
    """Print where the time of a training step goes, in both programs, with one thread each."""
    for name in bench.names:
        for program in ("ordinary", "engine"):
            arguments = [name, "--steps", str(steps), "--profile"]
            shares = answer(start(bench.module, program, 1, arguments))
            print(f"\n{name}, {program}: share of the time of a training step, by operator")
            for operator, share in [*list(shares.items())[:OPERATORS], (OTHERS, shares[OTHERS])]:
                print(f"  {100 * share:5.1f} %  {operator}", flush=True)


def learn(bench: Bench, steps: int, seeds: list[int], prepared: Path) -> None:
    """Train both ways with every seed; print the scores and whether they agree within seed noise."""
    cores = len(os.sched_getaffinity(0))
    for name in bench.names:
        tasks = [(program, seed) for seed in seeds for program in ("ordinary", "engine")]

        def one(task: tuple[str, int], name: str = name) -> dict[str, float]:
            program, seed = task
            arguments = [name, "--learn", str(steps), "--seeds", str(seed), "--data", str(prepared)]
            return answer(start(bench.module, program, 1, arguments))

        with concurrent.futures.ThreadPoolExecutor(cores) as pool:
            found = dict(zip(tasks, pool.map(one, tasks), strict=True))
        print(f"\n{name} after {steps} steps at rate {bench.rate:g}, {len(seeds)} seeds: mean (sd)")
        for metric in next(iter(found.values())):
            ordinary, engine = (
                [found[program, seed][metric] for seed in seeds] for program in ("ordinary", "engine")
            )
            print(f"  {metric:24}{agreement(ordinary, engine)}", flush=True)


def agreement(ordinary: Sequence[float], engine: Sequence[float]) -> str:
    """Both means with their spread, their difference, and whether it is within the seeds' noise.

    Within: at most two standard deviations of the difference of single runs, and at least LEAST.
    """
    a, b = statistics.summary(ordinary), statistics.summary(engine)
    gap = b.mean - a.mean
    noise = max(LEAST, 2 * float(np.hypot(a.sd or 0.0, b.sd or 0.0)))
    parts = [
        f"{what} {one.mean:.3f}{'' if one.sd is None else f' ({one.sd:.3f})'}"
        for what, one in (("ordinary", a), ("engine", b))
    ]
    verdict = "equal within seed noise" if abs(gap) <= noise else "NOT EQUAL"
    return f"{', '.join(parts)}, difference {gap:+.3f}: {verdict} (±{noise:.3f})"


def main(bench: Bench, description: str) -> None:
    """The command line of a benchmark."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=12, help="timed steps a process; 0: no timing")
    parser.add_argument("--rounds", type=int, default=2, help="fresh processes of each way; the best counts")
    parser.add_argument("--profile", action="store_true", help="show also where the time goes")
    parser.add_argument("--learn", type=int, metavar="STEPS", help="compare also what is learned in so many")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--data", type=Path, help="where the prepared data sets are: data/prepared")
    parser.add_argument("--only", nargs="+", choices=bench.names, help="these data sets")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    prepared = (given.data or paths.root() / "data" / "prepared").resolve()
    if given.child:
        program, name = given.child
        if given.learn:
            torch.set_num_threads(1)
            outcome = child_learn(bench, program, name, given.learn, given.seeds[0], prepared)
        elif given.profile:
            outcome = child_profile(bench, program, name, given.steps)
        else:
            outcome = child_speed(bench, program, name, given.steps)
        print(json.dumps(outcome))
        return
    if given.only:
        bench = dataclasses.replace(bench, names=tuple(given.only))
    settled = plan(cell_of(bench.names[0], "engine").engine)
    print(
        f"{len(os.sched_getaffinity(0))} cores; the engine computes in {settled.precision}, the ordinary "
        "program in float32"
    )
    if given.steps:
        speed(bench, given.steps, given.rounds)
    if given.profile:
        profile(bench, given.steps or 4)
    if given.learn:
        learn(bench, given.learn, given.seeds, prepared)
