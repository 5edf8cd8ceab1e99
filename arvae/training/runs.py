"""What is trained: runs (a seed and, in a study, other hyperparameters), and the key of their outcome."""

import ast
import dataclasses
import hashlib
import importlib.metadata
import json
import re
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import arvae
from arvae.files import read_json
from arvae.params import Engine, Setup
from arvae.training.precision import Plan

# The modules that decide what training computes, with what they import of models and fast. Their syntax is
# hashed, not their text: a comment or a docstring may change without a retraining.
_SOURCES = (
    "losses.py",
    "models/__init__.py",
    "training/batches.py",
    "training/checkpoints.py",
    "training/loop.py",
    "training/optimizer.py",
    "training/precision.py",
    "training/runs.py",
    "training/worker.py",
    "datasets/contract.py",
)
_OF_KIND = {"images": ("models/image.py",), "music": ("models/measure.py", "music/coding.py")}
_OF_FAST = {"images": ("fast/image.py",), "music": ("fast/measure.py",)}
_FAST = ("fast/__init__.py", "fast/adam.py", "training/graphs.py")
_LIBRARIES = {"images": ("torch", "numpy"), "music": ("torch", "numpy", "numba", "llvmlite")}
_PARSING = threading.Lock()  # CPython 3.11's ast must not be used by two threads at once


@dataclasses.dataclass(frozen=True)
class Run:
    """One training run: name (a file name), seed, and loss hyperparameters that differ from the setup's."""

    name: str
    seed: int
    overrides: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._=+-]*", self.name):
            raise ValueError(f"run name {self.name!r} must be a plain file name: letters, digits, . _ = + -")
        if self.seed < 0:
            raise ValueError(f"run {self.name}: seed {self.seed} must not be negative")


@dataclasses.dataclass(frozen=True)
class RunResult:
    """What became of a run.

    status: "finished" or "failed"; message: why it failed; reused: it was finished before and nothing was
    computed; seconds: spent training, interruptions left out; last: the last row of its history.
    weights: the safetensors file, None if it failed; history: the csv file.
    """

    name: str
    seed: int
    overrides: dict[str, Any]
    status: str
    message: str
    reused: bool
    steps: int
    seconds: float
    examples_per_second: float
    precision: str
    device: str
    last: dict[str, float]
    weights: Path | None
    history: Path | None


class TrainingError(RuntimeError):
    """No run of a setup could be trained; the message says what happened to each."""


def runs_of(setup: Setup) -> list[Run]:
    """One run for each of the setup's seeds."""
    return [Run(f"seed{seed}", seed) for seed in setup.seeds]


def check_runs(runs: Iterable[Run], setup: Setup) -> list[Run]:
    """Runs with distinct names and valid overrides; else ValueError (ParamsError for a hyperparameter)."""
    runs = list(runs)
    names = [run.name for run in runs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if not runs or twice:
        what = f"the name {twice[0]!r} stands twice" if twice else "there are none"
        raise ValueError(f"runs of setup {setup.name}: {what}; give each run a name of its own")
    for run in runs:
        setup.replace(**run.overrides)
    return runs


def hyperparameters(setup: Setup, run: Run) -> dict[str, Any]:
    """All of the setup that decides a run's weights, as JSON: no names, no engine, no other seeds."""
    fields = setup.replace(**run.overrides).model_dump(mode="json")
    for name in ("engine", "seeds", "name", "model", "scale"):
        fields.pop(name)
    return fields | {"seed": run.seed}


def key(setup: Setup, run: Run, dataset_directory: Path, plan: Plan) -> str:
    """A hash of everything that decides a run's weights: hyperparameters, data, code, arithmetic."""
    manifest = read_json(dataset_directory / "manifest.json")
    content = {
        "hyperparameters": hyperparameters(setup, run),
        "data": manifest["files"]
        | {"names": manifest["attribute_names"], "vocabulary": manifest["vocabulary"]},
        "code": code_hash(setup.kind, setup.replace(**run.overrides).hyperparameters.objective, plan.fast),
        "plan": dataclasses.asdict(plan),
        "libraries": {name: importlib.metadata.version(name) for name in _LIBRARIES[setup.kind]},
    }
    text = json.dumps(content, sort_keys=True)
    return f"{setup.dataset}-{hashlib.sha256(text.encode()).hexdigest()[:24]}"


def code_hash(kind: str, objective: str, fast: bool, package: Path | None = None) -> str:
    """SHA-256 over the syntax trees, docstrings left out, of the modules that decide a training.

    Of the models only those in question count, with what they import of models and fast: a new one retrains
    nothing. package: read now from there; None: this package as it was when it was imported, for that is what
    is run, whatever has been written to its files since.
    """
    modules = IMPORTED if package is None else _modules(package)
    names = {*_SOURCES, *(_FAST if fast else ())}
    todo = [f"models/{objective}.py", *_OF_KIND[kind], *(_OF_FAST[kind] if fast else ())]
    while todo:
        name = todo.pop()
        if name in modules and name not in names:
            names.add(name)
            todo += modules[name].imports
    digest = hashlib.sha256()
    for name in sorted(names & modules.keys()):
        digest.update(f"{name}\0{modules[name].digest}\0".encode())
    return digest.hexdigest()


@dataclasses.dataclass(frozen=True)
class _Module:
    """A module's syntax tree without docstrings, as SHA-256, and what it imports of models and fast."""

    digest: str
    imports: tuple[str, ...]


def _modules(package: Path) -> dict[str, _Module]:
    """All modules that may decide a training, by their path in the package."""
    names = {*_SOURCES, *_FAST, *(name for names in _OF_KIND.values() for name in names)}
    known = {*map(package.joinpath, names), *package.glob("models/*.py"), *package.glob("fast/*.py")}
    with _PARSING:
        return {path.relative_to(package).as_posix(): _read(path) for path in sorted(known) if path.is_file()}


def _read(path: Path) -> _Module:
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            value = body[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                body[0] = ast.Expr(ast.Constant(""))
    ours = sorted(name.split(".") for name in imported if name.startswith(("arvae.models.", "arvae.fast.")))
    digest = hashlib.sha256(ast.dump(tree).encode()).hexdigest()
    return _Module(digest, tuple("/".join(parts[1:]) + ".py" for parts in ours))


IMPORTED = _modules(Path(arvae.__file__).parent)


# Only used to rebuild a network from its weights: nothing here changes what it computes.
_ANY_ENGINE = Engine(
    executor="serial", workers=1, threads=1, device="cpu", precision="float32", checkpoint_seconds=60.0
)


def describe(setup: Setup, run: Run) -> dict[str, Any]:
    """The setup as stored beside a run's weights: free of what may differ between machines and runs."""
    fields = setup.replace(**run.overrides).model_dump(mode="json")
    fields.pop("engine")
    return fields | {"seeds": [run.seed]}


def setup_from(fields: dict[str, Any]) -> Setup:
    """The setup that `describe` stored."""
    return Setup.model_validate_json(json.dumps(fields | {"engine": _ANY_ENGINE.model_dump(mode="json")}))
