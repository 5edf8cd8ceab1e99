"""A GPU against this machine's processor: how fast each network trains on both, and do both learn the same?

    python -m benchmarks.gpu -o gpu.md              all of it, sized for less than ten minutes
    python -m benchmarks.gpu --learn 0 mnist        speed of one network only
    python -m benchmarks.gpu --device cpu           the processor in the GPU's place: does the script work?
    python -m benchmarks.gpu --train overnight dsprites-arvae -o gpu.md     whole experiments, see below

To be run first wherever a GPU is at hand: none has been measured yet. Speed: steps of the engine's loop on
random data, by as many one-thread processes as cores on the processor, by 1, 2 and 4 processes on the GPU,
with its steps recorded as CUDA graphs (engine.graphs) and not; runs are not stacked into one network
(docs/machines.md). Learning (needs data/prepared): the same number of steps with every seed on both; the
scores must agree within the seeds' noise (`benchmarks.speed.agreement`), else the exit status is 1.

Whole experiments: --train HOME trains the named experiments (none: all) of `.` or overnight/ at its scale on
the GPU, into its checkpoints, and writes weights to data/gpu/<setup> and scores beside the committed ones.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from arvae import machine, models, params, paths, training
from arvae.datasets.contract import Dataset
from arvae.files import write_text
from arvae.training.executors import worker_environment
from benchmarks import experiments, speed

NAMES = ("mnist", "dsprites", "bach", "folk")
HEAD = ["network", "processor", "GPU", "ratio", "best on the GPU", "learned"]


def child(device: str, graphs: bool, name: str, steps: int) -> dict[str, float]:
    """In a process of its own: examples a second."""
    setup = speed.setup_of(name, "fast", device=device, graphs=graphs)
    run = speed.trainer(setup, speed.random_data(setup), 0, 10**6)
    for _ in range(2 * speed.WARM_UP):  # memory, choice of kernels, recording
        run._one_step()
    _wait(device)
    began = time.perf_counter()
    for _ in range(steps):
        run._one_step()
    _wait(device)
    return {"rate": setup.batch_size * steps / (time.perf_counter() - began)}


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


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
    """A fresh one-thread process of this script that prints its outcome as a last line of JSON."""
    command = [sys.executable, "-m", "benchmarks.gpu", "--child", *arguments]
    return subprocess.Popen(
        command, env=worker_environment(1), stdout=subprocess.PIPE, text=True, cwd=paths.root()
    )


def rate(name: str, device: str, graphs: bool, processes: int, steps: int) -> float:
    """Examples a second of so many processes at once, all together."""
    how = ["--device", device, "--steps", str(steps), *(["--graphs"] if graphs else [])]
    return sum(speed.answer(one)["rate"] for one in [start(name, *how) for _ in range(processes)])


def fastest(name: str, device: str, steps: int, at_once: Sequence[int]) -> tuple[float, int, bool]:
    """On the GPU: examples a second, with how many processes, and with graphs or not."""
    ways = [
        (count, graphs) for count in at_once for graphs in ([False, True] if device == "cuda" else [False])
    ]
    return max((rate(name, device, graphs, count, steps), count, graphs) for count, graphs in ways)


def learned(
    name: str, device: str, graphs: bool, steps: int, seeds: Sequence[int], prepared: Path
) -> list[str]:
    """A line a score: both sides' means, their difference, and whether that is within the seeds' noise."""
    sides = []
    for place, recorded in (("cpu", False), (device, graphs)):
        how = ["--device", place, "--learn", str(steps), "--data", str(prepared)]
        how += ["--graphs"] if recorded else []
        running = [start(name, *how, "--seeds", str(seed)) for seed in seeds]
        sides.append([speed.answer(one) for one in running])
    both = {score: [[one[score] for one in side] for side in sides] for score in sides[0][0]}
    return [f"{score}: {speed.agreement(*sides, ('processor', 'GPU'))}" for score, sides in both.items()]


def main(arguments: list[str] | None = None) -> int:
    """The command line; exit status 1 where something was not learned alike, or there is no GPU."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help=f"of {', '.join(NAMES)}, or experiments; none: all")
    parser.add_argument("--train", type=Path, metavar="HOME", help="whole experiments of . or overnight/")
    parser.add_argument(
        "--device", default="cuda", choices=["cuda", "cpu"], help="cpu: try the script without a GPU"
    )
    parser.add_argument("--steps", type=int, default=60, help="timed steps a process")
    parser.add_argument("--learn", type=int, default=300, metavar="STEPS", help="to learn in; 0: time only")
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 2, 4], help="processes on the GPU")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--data", type=Path, help="where the prepared data sets are: data/prepared")
    parser.add_argument("-o", "--output", type=Path, help="write the table here too")
    parser.add_argument("--graphs", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if unknown := [] if given.train else [name for name in given.names if name not in NAMES]:
        parser.error(f"unknown {' '.join(unknown)}: there are {', '.join(NAMES)}")
    prepared = (given.data or paths.root() / "data" / "prepared").resolve()
    if given.child:
        (name,), how = given.names, (given.device, given.graphs)
        learns = "--learn" in sys.argv
        outcome = (
            child_learn(*how, name, given.learn, given.seeds[0], prepared)
            if learns
            else child(*how, name, given.steps)
        )
        print(json.dumps(outcome))
        return 0
    if given.device == "cuda" and not torch.cuda.is_available():
        print("no CUDA device here; --device cpu tries the script without one", file=sys.stderr)
        return 1
    gpu = torch.cuda.get_device_name() if given.device == "cuda" else "none: the processor in its place"
    here = machine.describe()
    if given.train:
        home, output = given.train.resolve(), paths.root() / "data" / "gpu"
        try:
            found = experiments.run(home, given.names, given.device, output)
        except (params.ParamsError, training.TrainingError) as error:
            print(error, file=sys.stderr)
            return 1
        return _told(gpu, here, [experiments.HEAD, *found.rows], found.lines, given.output)
    rows, details = [HEAD], []
    for name in given.names or NAMES:
        cpu = rate(name, "cpu", False, machine.cores(), given.steps)
        best, processes, graphs = fastest(name, given.device, given.steps, given.at_once)
        how = f"{processes} process{'es' if processes > 1 else ''}{', graphs' if graphs else ''}"
        lines = learned(name, given.device, graphs, given.learn, given.seeds, prepared) if given.learn else []
        wrong = any("NOT EQUAL" in line for line in lines)
        alike = "not tried" if not lines else "NOT EQUAL" if wrong else "equal"
        rows.append([name, f"{cpu:,.0f}/s", f"{best:,.0f}/s", f"{best / cpu:.2f}", how, alike])
        details += [f"{name}, {one}" for one in lines]
        print(" | ".join(rows[-1]), *lines, sep="\n", flush=True)
    return _told(gpu, here, rows, details, given.output)


def _told(gpu: str, here: dict, rows: list[list[str]], lines: list[str], output: Path | None) -> int:
    """Print the table and the lines below it, and write them to `output`; 1 where something is not equal."""
    table = "\n".join(f"| {' | '.join(row)} |" for row in [rows[0], ["---"] * len(rows[0]), *rows[1:]])
    title = f"{gpu} against {here['name']}, {here['cores']} cores; PyTorch {here['torch']}"
    text = "\n\n".join([title, table, "\n".join(f"* {line}" for line in lines)]).strip() + "\n"
    if output:
        write_text(output, text)
    print(f"\n{text}", end="")
    return int("NOT EQUAL" in text)


if __name__ == "__main__":
    sys.exit(main())
