"""Weights that come with the project: `python -m compendium.weights` writes data/weights from trained runs.

Of each data set the first run of AR-VAE and of beta-VAE, in float16, with all that turning needs (attributes,
vocabulary, controls) and a model card; and a few test examples. `TrainedModel.load("folk")` takes the weights
where nothing is trained, `datasets.at_hand("folk")` the examples where nothing is prepared. `stale` ties all
of it to the reports and the code.
"""

import dataclasses
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from arvae import datasets, machine, params, paths
from arvae.files import read_json, sha256, write_text
from arvae.trained import SHIPPED, ModelError, TrainedModel, manifest
from arvae.training import checkpoints, runs
from compendium.labels import DATASETS, dataset_label, model_label

MODELS = ("betavae", "arvae")
SETUPS = tuple(f"{dataset}-{model}" for dataset in DATASETS for model in MODELS)
LARGEST = 30_000_000  # bytes of the folder
IMAGES, TUNES = 300, 60  # of the test split, for what shows some
SCORES = {
    "interpretability": "interpretability", "scc": "SCC", "sap": "SAP", "mig": "MIG",
    "modularity": "modularity", "reconstruction_accuracy": "reconstruction",
}  # fmt: skip
_FACTS = ("kind", "attribute_names", "attribute_units", "vocabulary")
_SAID = ("title", "source", "licence", "transform")  # of where the data come from
_CARD = """# {name}

{model} on {dataset}; seed {seed}, scale {scale} ({epochs:g} epochs), stored in float16.

| | |
|---|---|
| Data | {title} ({source}) |
| Licence of the data | {licence} |
| Licence of the weights | MIT, as the code, as far as the licence of the data allows |
| Regularized | {regularized} |
| Scores of this run, test split | {scores} |
| This file, SHA-256 | `{file}` |
| Weights it was made from, SHA-256 | `{weights}` |
| Prepared data, SHA-256 | `{data}` |
| Code of training, SHA-256 | `{code}` |

**Limits.** {count}, trained on these data only. Each control is meant for the range of the test
codes (0.5 % to 99.5 %); beyond it the decoder is asked for what it has never seen. Attributes that depend on
one another in the data move together. How it was evaluated, and what fails: [the report]({report}).
"""


def ship(name: str, home: Path) -> Path:
    """Write data/weights/<name>.safetensors and .md from the first run of a setup that was trained,
    evaluated and whose data are prepared at `home`; ModelError, DataError or OSError where something lacks.
    """
    folder = home / "data" / "models" / name
    model = TrainedModel.load(str(folder), home=home)
    prepared = home / "data" / "prepared" / model.setup.dataset
    facts = manifest(prepared)
    tensors, record = checkpoints.read_tensors(folder / f"{model.run}.safetensors")
    for key, tensor in tensors.items():
        if tensor.is_floating_point():
            tensors[key] = tensor.half()
    reports = (home / "reports").relative_to(paths.project(home))
    evaluated = read_json(home / "reports" / "metrics" / f"{name}.json")["runs"]
    said = {key: value for key, value in facts["provenance"].items() if key in _SAID}
    record |= {
        "name": model.run,
        "facts": {key: facts[key] for key in _FACTS} | {"provenance": said},
        "controls": [dataclasses.asdict(control) for control in model.controls],
        "information": model.information.tolist(),
        "reports": reports.as_posix(),
        **_origin(home, name, model),
    }
    path = paths.project(home) / SHIPPED / f"{name}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    checkpoints.write_tensors(path, tensors, record)
    write_text(path.with_suffix(".md"), card(path, record, evaluated))
    return path


def card(path: Path, record: Mapping[str, Any], evaluated: Mapping[str, Any]) -> str:
    """The model card of a file of weights; evaluated: the runs of its setup's report."""
    setup, said = runs.setup_from(record["setup"]), record["facts"]["provenance"]
    scores, dataset = evaluated[record["name"]], dataset_label(setup.dataset)
    pairs = zip(setup.attributes, setup.dimensions, strict=True) if setup.hyperparameters.gamma else ()
    return _CARD.format(
        name=path.stem, model=model_label(setup.model), dataset=dataset, seed=setup.seeds[0],
        count="The only run" if len(evaluated) == 1 else f"One of {len(evaluated)} runs",
        title=said.get("title", dataset), scale=setup.scale, epochs=setup.schedule.epochs,
        source=said["source"], licence=said.get("licence", "not given"),
        regularized=", ".join(f"{name} → z{dimension}" for name, dimension in pairs) or "nothing",
        scores=", ".join(f"{word} {scores[key]:.3f}" for key, word in SCORES.items()),
        report=f"../../{record['reports']}/pages/evaluate-{path.stem}.html", file=sha256(path),
        **{key: record[key] for key in ("weights", "data", "code")},
    )  # fmt: skip


def sample(name: str, home: Path) -> None:
    """Write some test images, or all measures of some test tunes, of a data set prepared at `home`."""
    data = datasets.load(name, home / "data" / "prepared" / name)
    rng, test = np.random.default_rng(0), data.test
    kept = rng.permutation(len(test))[:IMAGES]
    if "tune" in test.extra:
        tunes = rng.permutation(np.unique(test.extra["tune"]))[:TUNES]
        kept = np.flatnonzero(np.isin(test.extra["tune"], tunes))
    splits = {"train": _part(data.train, [0]), "validation": _part(data.validation, [0])}
    small = dataclasses.replace(data, **splits, test=_part(test, np.sort(kept)))
    small.save(paths.project(home) / SHIPPED / "samples" / name)


def _part(split: datasets.Split, index: Sequence[int] | np.ndarray) -> datasets.Split:
    packed = isinstance(split.x, datasets.PackedImages)
    x = datasets.PackedImages(split.x.packed[index]) if packed else split.x[index]
    extra = {name: values[index] for name, values in split.extra.items()}
    return datasets.Split(x, split.attributes[index], extra)


def _origin(home: Path, name: str, model: TrainedModel) -> dict[str, str]:
    """What the weights of a run come from, as hashes: the run's own file, its data, the code."""
    setup = model.setup
    return {
        "weights": sha256(home / "data" / "models" / name / f"{model.run}.safetensors"),
        "data": manifest(home / "data" / "prepared" / setup.dataset)["sha256"],
        "code": runs.code_hash(setup.kind, setup.hyperparameters.objective, setup.engine.fast),
    }


def stale(project: Path, setups: Sequence[str] = SETUPS) -> list[str]:
    """What of the shipped weights, cards and examples is missing, damaged, or not that of the project's
    reports and code, a line each."""
    folder, found = project / SHIPPED, []
    there = {path.stem for path in folder.glob("*.safetensors")}
    found += [f"{name}.safetensors: missing" for name in setups if name not in there]
    for path in (folder / f"{name}.safetensors" for name in sorted(there)):
        try:
            record = checkpoints.read_tensors(path)[1]
        except checkpoints.DamagedError as error:
            found.append(f"{path.name}: {error}")
            continue
        setup = runs.setup_from(record["setup"])
        report = project / record["reports"] / "metrics" / f"{path.stem}.json"
        told = read_json(report) if report.is_file() else {"provenance": {}}
        if told["provenance"].get("weights", {}).get(record["name"]) != record["weights"]:
            found.append(f"{path.name}: not the run that {record['reports']} tells of")
        elif not (text := path.with_suffix(".md")).is_file() or card(path, record, told["runs"]) != (
            text.read_text(encoding="utf-8")
        ):
            found.append(f"{text.name}: not the card of these weights and their report")
        code = runs.code_hash(setup.kind, setup.hyperparameters.objective, record["fast"])
        if record["code"] != code and _hashed_alike(project / record["reports"], path.stem):
            found.append(f"{path.name}: the code of training has changed since")
    for name in dict.fromkeys(name.rpartition("-")[0] for name in setups):
        try:
            datasets.load(name, folder / "samples" / name)
        except datasets.DataError as error:
            found.append(f"samples of {name}: {str(error).splitlines()[0]}")
    sizes = (path.stat().st_size for path in (project / SHIPPED).rglob("*") if path.is_file())
    if (size := sum(sizes)) > LARGEST:
        found.append(f"{SHIPPED}: {size:,} bytes, more than {LARGEST:,}")
    return found


def _hashed_alike(reports: Path, setup: str) -> bool:
    """Whether hashes of code can be compared with those of a setup's training: on the same minor of Python.

    The syntax that is hashed has other fields in another one.
    """
    here = {"python": platform.python_version()}
    there = machine.read(reports).get(f"train-{setup}", {}).get("machine", here)
    return there["python"].split(".")[:2] == here["python"].split(".")[:2]


def main(arguments: list[str]) -> int:
    """python -m compendium.weights [HOME]: ship what was trained in the project or in a folder of it."""
    if {"-h", "--help"} & set(arguments):
        print(__doc__)
        return 0
    if len(arguments) > 1 or "".join(arguments).startswith("-"):
        print(f"the one argument is a folder with a params.yaml, not: {' '.join(arguments)}", file=sys.stderr)
        return 2
    home = paths.project() / "".join(arguments)
    try:
        known = params.load(home / "params.yaml").datasets
        for dataset in (name for name in DATASETS if name in known):
            sample(dataset, home)
            for model in MODELS:
                path = ship(f"{dataset}-{model}", home)
                print(f"{path.relative_to(paths.project(home))}: {path.stat().st_size:,} bytes")
    except params.ParamsError as error:
        print(error, file=sys.stderr)
        return 1
    except (ModelError, datasets.DataError, OSError, KeyError) as error:
        print(f"{error}\nrun the pipeline to its end first", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
