"""What a page says of how its results arose: scale, seeds and code; and the page of times and machines."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from arvae import machine, paths
from arvae.files import read_json
from arvae.progress import clock
from compendium.labels import DATASETS, dataset_label

# What decides results: the last commit that touched one of these made them.
CODE = ("arvae", "compendium", "notebooks", "params.yaml", "requirements.lock")


def commit(home: Path) -> str:
    """The last commit that touched the code or the parameters of `home`, its day, and whether either was
    changed since.

    The same code gives the same words, however often the site is built.
    """

    root = paths.project(home)
    deciding = [*CODE, (home.resolve() / "params.yaml").relative_to(root).as_posix()]

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    try:
        last = git("log", "-1", "--format=%h of %cs", "--abbrev=10", "--", *deciding)
        changed = git("status", "--porcelain", "--untracked-files=all", "--", *deciding)
        if last:
            return f"commit {last}" + (" with later changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        pass  # no git, or no repository
    return "code without a commit"


def metrics(reports: Path) -> dict[str, dict[str, Any]]:
    """The metrics files of all setups, by name: those that hold runs."""
    found = {path.stem: read_json(path) for path in sorted((reports / "metrics").glob("*.json"))}
    return {name: setup for name, setup in found.items() if isinstance(setup, dict) and setup.get("runs")}


def made_by(
    metrics: Mapping[str, Mapping[str, Any]], setup: str, code: str
) -> dict[str, dict[str, str] | str]:
    """What a page says of itself, from the metrics files of the setups it is about, else of all.

    setup: a data set, or a data set and model. `runs`: how many runs the numbers rest on, for the page's
    head; `made`: the rest, for its foot.
    """
    about = [m for name, m in metrics.items() if setup in (name, name.rpartition("-")[0])]
    about = about or list(metrics.values())

    def all_of(key: str) -> str:
        found = dict.fromkeys(_words(one[key]) for one in about if one.get(key) not in (None, "", [], {}))
        return "; ".join(found) or "not recorded"

    counts = sorted({len(one["runs"]) for one in about})
    runs = " to ".join(dict.fromkeys(map(str, (counts[0], counts[-1])))) if counts else ""
    several = "s" if runs != "1" else ""
    seeds = {tuple(one.get("seeds", ())) for one in about}
    every = _words(sorted({seed for some in seeds for seed in some})) or "not recorded"
    every += " (not all of them in every setup)" * (len(seeds) > 1)
    made = {"scale": all_of("scale"), "seeds": every, "made by the code of": code}
    return {"runs": f"{runs} run{several} of each model, scale {made['scale']}" if runs else "", "made": made}


def sources(home: Path) -> dict[str, str]:
    """The data sets as they were really obtained, as rows of Markdown, and where trained weights are."""
    rows = []
    for path in sorted(
        (home / "reports" / "provenance").glob("*.json"),
        key=lambda path: (*DATASETS, path.stem).index(path.stem),
    ):
        found = read_json(path)
        origin = found["provenance"]
        cells = [
            dataset_label(found["name"]),
            str(origin.get("address") or origin.get("source", "")),
            origin.get("citation") or ", ".join(origin.get("kept by collection", {})),
            origin.get("licence", ""),
            ", ".join(f"{found['examples'][split]:,}" for split in ("train", "validation", "test")),
        ]
        rows.append(f"| {' | '.join(cells)} |")
    kept = sorted(path.stem for path in (paths.project(home) / "data" / "weights").glob("*.safetensors"))
    each = [f"[{name}](data/weights/{name}.safetensors) ([card](data/weights/{name}.md))" for name in kept]
    said = f" Trained weights: {', '.join(each)}." if kept else ""
    return {"sources": "\n".join(rows), "weights": said}


def downloads(reports: Path, page: str, setup: str) -> dict[str, str]:
    """What a page's numbers can be loaded from: name of a file -> where it is, from the folder of reports."""
    tables = reports / "tables"
    own = {"results": tables, "checklist": reports / "checklist"}
    one = {
        "evaluate": f"metrics/{setup}.json",
        "train": f"training/{setup}.csv",
        "data": f"provenance/{setup}.json",
    }
    found = sorted(own.get(page, tables / page).glob("*.csv"))
    found += [reports / one[stage] for stage in [page.partition("-")[0]] if stage in one and setup]
    return {path.name: path.relative_to(reports).as_posix() for path in found if path.is_file()}


def _words(value: Any) -> str:
    """A scale, a list of seeds, ... in one line."""
    return ", ".join(map(_words, value)) if isinstance(value, (list, tuple)) else str(value)


def trained_in(record: dict[str, Any]) -> list[str]:
    """How long each training run of a stage's record took, as its log says: [h:]mm:ss."""
    return re.findall(r"steps in ([\d:]+)", "\n".join(record["log"]))


def hours(reports: Path) -> dict[str, str]:
    """What all stages took when they last ran, and all training runs, added up."""
    records = machine.read(reports).values()
    parts = [time.split(":")[::-1] for record in records for time in trained_in(record)]
    trained = sum(int(part) * 60**place for time in parts for place, part in enumerate(time))
    return {"stages": clock(sum(record["seconds"] for record in records)), "runs": clock(trained)}


def machines(reports: Path) -> list[dict[str, str]]:
    """How long every stage took when it last ran, when, where, and by which commit: a row each.

    `trained in`: how long each of its training runs took, also where it reused one trained before.
    """
    return [
        {
            "stage": name,
            "took": clock(record["seconds"]),
            "trained in": ", ".join(trained_in(record)),
            "finished": record["finished"],
            "commit": (record["commit"] or "none")[:10],
            "machine": f"{(on := record['machine'])['name']}, {on['cores']} cores",
            "Python": on["python"],
            "PyTorch": on["torch"],
        }
        for name, record in machine.read(reports).items()
    ]
