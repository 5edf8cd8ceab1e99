"""`python -m compendium.train [main | studies | overnight]`: train all that a pipeline wants, on all cores.

`dvc repro` runs one stage after another, and one that trains a single run leaves the other cores idle. Runs
are independent values: trained here, in any order, they are found by the stages, which make the same of them.
The data must be prepared: `dvc repro data` (studies/dvc.yaml:data, overnight/dvc.yaml:data).
"""

import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ruamel.yaml import YAML

from arvae import params, paths, training
from arvae.files import read_json
from arvae.params import Setup
from arvae.training import Run, executors
from arvae.training.precision import plan

Job = tuple[Setup, list[Run]]


def wanted(given: params.Params, pipeline: str) -> list[Job]:
    """The setups of a pipeline, each with its runs; of the studies also those whose settings are tried."""
    if pipeline != "studies":
        names, tried = given.setups, []
    else:
        names, tried = given.study_setups, [given.grid(), *given.tuning()]
    jobs = [given.setup(name.dataset, name.model) for name in names.values()]
    return [(setup, training.runs_of(setup)) for setup in jobs] + [
        (setup, [Run(name, setup.seeds[0], overrides) for name, overrides in settings.items()])
        for setup, settings in tried
    ]


def train(jobs: Sequence[Job], home: Path, log: Callable[[str], None] = print) -> list[str]:
    """Train into the checkpoints at `home` what is not there yet; why setups failed, a text each.

    The executor is that of params.yaml. Setups with the most steps go first, so that none of them is left
    for the end, when it would have one core.
    """
    prepared, kept = home / "data" / "prepared", home / "data" / "checkpoints"
    names = dict.fromkeys(setup.dataset for setup, _ in jobs)
    missing = [name for name in names if not (prepared / name / "manifest.json").is_file()]
    if missing:
        commands = ", ".join(paths.remedy("data", prepared / name) for name in missing)
        return [f"no prepared data of {', '.join(missing)}: prepare them with {commands}"]

    def steps(job: Job) -> float:
        count = read_json(prepared / job[0].dataset / "manifest.json")["files"]["train.npz"]["shape"][0]
        return job[0].schedule.epochs * count / job[0].batch_size

    engine, runs = jobs[0][0].engine, sum(len(runs) for _, runs in jobs)
    with (
        tempfile.TemporaryDirectory() as scratch,
        executors.opened(engine, plan(engine).device, runs) as executor,
        ThreadPoolExecutor(len(jobs)) as watching,
    ):
        futures = [
            watching.submit(
                training.train, setup, prepared / setup.dataset, runs, kept, executor, log,
                Path(scratch) / setup.name,
            )
            for setup, runs in sorted(jobs, key=steps, reverse=True)
        ]  # fmt: skip
        return [str(error) for future in futures if (error := future.exception())]


def main(arguments: list[str]) -> int:
    """Exit status 1 with the reasons where a setup could not be trained; the others are kept."""
    if {"-h", "--help"} & set(arguments):
        print(__doc__)
        return 0
    name, root = (arguments or ["main"])[0], paths.project()
    pipelines = YAML(typ="safe").load((root / "pipeline.yaml").read_text(encoding="utf-8"))["pipelines"]
    if name not in pipelines or len(arguments) > 1:
        wrong = " ".join(arguments)
        print(f"there is no pipeline {wrong!r}; there are: {', '.join(pipelines)}", file=sys.stderr)
        return 1
    home = root / pipelines[name]["home"]
    try:
        jobs = wanted(params.load(home / "params.yaml"), name)
        faults = train(jobs, home)
    except (ValueError, OSError) as error:
        faults = [str(error)]
    print("\n".join(faults), file=sys.stderr, end="\n" * bool(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
