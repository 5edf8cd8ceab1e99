"""A GPU against this machine's processor: how fast each network trains on both, and do both learn the same?

    python -m benchmarks.gpu -o gpu.md              all of it
    python -m benchmarks.gpu --learn 0 mnist        speed of one network only
    python -m benchmarks.gpu --device cpu           the processor in the GPU's place: does the script work?
    python -m benchmarks.gpu --train overnight dsprites-arvae -o gpu.md     whole experiments, see below

Speed: steps of the engine's loop on random data, by as many one-thread processes as cores on the processor,
by 1 and 4 processes on the GPU, with its steps recorded as CUDA graphs (engine.graphs) and not; runs are
not stacked into one network (docs/machines.md, where results stand). All processes start at once and wait
for their turn. Learning (needs data/prepared): the same number of steps with every seed on both; the scores
must agree within the seeds' noise (`benchmarks.speed.agreement`), else the exit status is 1.

Whole experiments: --train HOME trains the named experiments (none: all) of `.` or overnight/ at its scale on
the GPU, into its checkpoints, and writes weights to data/gpu/<setup> and scores beside the committed ones;
with --graphs --at-once 1 in the way that was fastest on an H200.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from arvae import machine, models, params, paths, training
from arvae.datasets.contract import Dataset
from arvae.files import write_text
from arvae.training.executors import worker_environment
from benchmarks import experiments, speed

NAMES = ("mnist", "dsprites", "bach", "folk")
HEAD = ["network", "processor", "GPU", "ratio", "best on the GPU", "learned"]


def child(device: str, graphs: bool, name: str, turns: Iterable[str]) -> Iterator[str]:
    """In a process of its own: "ready", then for each turn (how many seconds) examples a second."""
    setup = speed.setup_of(name, "fast", device=device, graphs=graphs)
    run = speed.trainer(setup, speed.random_data(setup), 0, 10**6)

    def steps(count: int) -> None:
        for _ in range(count):
            run._one_step()
        if device == "cuda":
            torch.cuda.synchronize()

    steps(4 * speed.WARM_UP)  # memory, choice of kernels, recording
    yield "ready"
    at_a_time = 20 if device == "cuda" else 1
    for seconds in turns:
        began, count = time.perf_counter(), 0
        while (took := time.perf_counter() - began) < float(seconds):
            steps(at_a_time)
            count += at_a_time
        yield json.dumps(setup.batch_size * count / took)


def child_learn(
    device: str, graphs: bool, name: str, steps: int, seed: int, prepared: Path
) -> dict[str, float]:
    """In a process of its own: train on the real data, and judge on the processor what was learned."""
    torch.set_num_threads(1)
    dataset = Dataset.load(prepared / name, name)
    run = speed.trainer(speed.setup_of(name, "fast", device=device, graphs=graphs), dataset, seed, steps)
    run.go(lambda _: None, lambda _: None, 1e9)
    model = models.build(run.setup, **run.build).eval()
    model.load_state_dict({name: tensor.cpu() for name, tensor in run.optimizer.weights().items()})
    return speed.judge(model, dataset, run.setup)


def start(*arguments: str) -> subprocess.Popen[str]:
    """A fresh one-thread process of this script."""
    command = [sys.executable, "-m", "benchmarks.gpu", "--child", *arguments]
    pipes = dict.fromkeys(("stdin", "stdout"), subprocess.PIPE)
    return subprocess.Popen(command, env=worker_environment(1), text=True, cwd=paths.root(), **pipes)


class Timed:
    """A process of `child`, which waits for its turns."""

    def __init__(self, name: str, device: str, graphs: bool) -> None:
        self.process = start(name, "--device", device, *(["--graphs"] if graphs else []))

    def said(self) -> str:
        """Its next line; RuntimeError where it has ended."""
        if line := self.process.stdout.readline():
            return line.strip()
        raise RuntimeError(
            f"{' '.join(map(str, self.process.args))} ended with {self.process.wait()}; see above"
        )

    def turn(self, seconds: float) -> None:
        """Have it train for so long; `said` then gives its rate."""
        print(seconds, file=self.process.stdin, flush=True)


def rates(
    name: str, device: str, seconds: float, at_once: Sequence[int]
) -> tuple[float, dict[tuple[int, bool], float]]:
    """Examples a second, all processes together: on the processor; on the GPU by (processes, graphs)."""
    with contextlib.ExitStack() as stack:

        def several(count: int, *how: Any) -> list[Timed]:
            found = [Timed(name, *how) for _ in range(count)]
            for one in found:
                stack.enter_context(one.process)
                stack.callback(one.process.kill)
            return found

        modes = [False, True] if device == "cuda" else [False]
        cores = several(machine.cores(), "cpu", False)
        ways = {graphs: several(max(at_once), device, graphs) for graphs in modes}
        for one in cores:
            one.said()
        for graphs, those in list(ways.items()):
            try:
                for one in those:
                    one.said()
            except RuntimeError as error:
                print(f"{name}{', graphs' * graphs}: {error}", file=sys.stderr, flush=True)
                ways.pop(graphs)

        def together(those: list[Timed]) -> float:
            for one in those:
                one.turn(seconds)
            return sum(float(one.said()) for one in those)

        cpu = together(cores)
        return cpu, {(n, graphs): together(ways[graphs][:n]) for graphs in ways for n in at_once}


def learned(
    name: str, device: str, graphs: bool, steps: int, seeds: Sequence[int], prepared: Path
) -> list[str]:
    """A line a score: both sides' means, their difference, and whether that is within the seeds' noise."""
    sides = []
    for place, recorded in (("cpu", False), (device, graphs)):
        how = ["--device", place, "--learn", str(steps), "--data", str(prepared)]
        how += ["--graphs"] if recorded else []
        with contextlib.ExitStack() as stack:  # where one fails, the others end with it
            running = [stack.enter_context(start(name, *how, "--seeds", str(seed))) for seed in seeds]
            for one in running:
                stack.callback(one.kill)
            sides.append([speed.answer(one) for one in running])
    both = {score: [[one[score] for one in side] for side in sides] for score in sides[0][0]}
    return [f"{score}: {speed.agreement(*sides, ('processor', 'GPU'))}" for score, sides in both.items()]


def main(arguments: list[str] | None = None) -> int:
    """The command line; exit status 1 where a network failed or learned something else, or without a GPU."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help=f"of {', '.join(NAMES)}, or experiments; none: all")
    parser.add_argument("--train", type=Path, metavar="HOME", help="whole experiments of . or overnight/")
    parser.add_argument(
        "--device", default="cuda", choices=["cuda", "cpu"], help="cpu: try the script without a GPU"
    )
    parser.add_argument("--seconds", type=float, default=3.0, help="timed, in each way")
    parser.add_argument("--learn", type=int, default=300, metavar="STEPS", help="to learn in; 0: time only")
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 4], help="processes on the GPU")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--data", type=Path, help="where the prepared data sets are: data/prepared")
    parser.add_argument("-o", "--output", type=Path, help="write the table here too")
    parser.add_argument("--graphs", action="store_true", help="with --train: as CUDA graphs (engine.graphs)")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if unknown := [] if given.train else [name for name in given.names if name not in NAMES]:
        parser.error(f"unknown {' '.join(unknown)}: there are {', '.join(NAMES)}")
    prepared = (given.data or paths.root() / "data" / "prepared").resolve()
    if given.child:
        (name,), how = given.names, (given.device, given.graphs)
        if "--learn" in sys.argv:
            print(json.dumps(child_learn(*how, name, given.learn, given.seeds[0], prepared)))
            return 0
        for line in child(*how, name, iter(sys.stdin.readline, "")):
            print(line, flush=True)
        return 0
    if given.device == "cuda" and not torch.cuda.is_available():
        print("no CUDA device here; --device cpu tries the script without one", file=sys.stderr)
        return 1
    gpu = machine.gpu() if given.device == "cuda" else "none: the processor in its place"
    here = machine.describe()
    if given.train:
        home, output = given.train.resolve(), paths.root() / "data" / "gpu"
        try:
            how = {"device": given.device, "workers": max(given.at_once), "graphs": given.graphs}
            found = experiments.run(home, given.names, output, how)
        except (params.ParamsError, training.TrainingError) as error:
            print(error, file=sys.stderr)
            return 1
        return _told(gpu, here, [experiments.HEAD, *found.rows], found.lines, given.output)
    rows, details = [HEAD], []
    for name in given.names or NAMES:
        cpu, found = rates(name, given.device, given.seconds, given.at_once)
        if not found:  # the others are measured all the same
            rows.append([name, f"{cpu:,.0f}/s", "FAILED", "", "", "not tried"])
            details.append(f"{name}: no process trained there, see the errors printed")
            continue
        (processes, graphs), best = max(found.items(), key=lambda pair: pair[1])
        alike, lines = "not tried", []
        if given.learn and not (prepared / name / "manifest.json").is_file():
            lines = [f"no data at {prepared / name}, so learning was not tried: dvc repro data@{name}"]
        elif given.learn:
            try:
                lines = learned(name, given.device, graphs, given.learn, given.seeds, prepared)
                alike = "NOT EQUAL" if any("NOT EQUAL" in line for line in lines) else "equal"
            except RuntimeError as error:
                alike, lines = "FAILED", [str(error)]
        how = _way(processes, graphs)
        rows.append([name, f"{cpu:,.0f}/s", f"{best:,.0f}/s", f"{best / cpu:.2f}", how, alike])
        speeds = ", ".join(f"{_way(*way)} {rate:,.0f}" for way, rate in found.items())
        details += [f"{name}, examples a second on the GPU: {speeds}", *(f"{name}, {one}" for one in lines)]
        print(" | ".join(rows[-1]), *lines, sep="\n", flush=True)
    return _told(gpu, here, rows, details, given.output)


def _way(processes: int, graphs: bool) -> str:
    return f"{processes} process{'es' if processes > 1 else ''}{', graphs' if graphs else ''}"


def _told(gpu: str, here: dict, rows: list[list[str]], lines: list[str], output: Path | None) -> int:
    """Print the table and the lines below it, and write them to `output`; 1 where not all is well."""
    table = "\n".join(f"| {' | '.join(row)} |" for row in [rows[0], ["---"] * len(rows[0]), *rows[1:]])
    title = f"{gpu} against {here['name']}, {here['cores']} cores; PyTorch {here['torch']}"
    text = "\n\n".join([title, table, "\n".join(f"* {line}" for line in lines)]).strip() + "\n"
    if output:
        write_text(output, text)
    print(f"\n{text}", end="")
    return int("NOT EQUAL" in text or "FAILED" in text)


if __name__ == "__main__":
    sys.exit(main())
