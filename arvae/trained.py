"""A trained model with its controls: which latent dimension turns which attribute, and over what range.

A control's unit is the standard deviation of its dimension over codes of test examples, and its range is where
those codes lie: beyond it the decoder was never asked for anything, and what it answers means little.
"""

import dataclasses
import hashlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from scipy import stats
from torch import nn

from arvae import datasets, paths
from arvae.datasets.contract import DataError, Dataset, PackedImages, Split
from arvae.edit.faults import EditError
from arvae.evaluation import outputs
from arvae.files import read_json, sha256, write_json
from arvae.music.coding import Vocabulary
from arvae.params import Setup
from arvae.params.faults import unknown
from arvae.training import checkpoints, load_model
from arvae.training.runs import setup_from

SAMPLES = {"images": 2000, "music": 4000}  # codes that ranges are taken from
OUTSIDE = 0.005  # share of the codes left out at either end of the range
_VERSION = 1
_BATCH = 250


@dataclasses.dataclass(frozen=True)
class Control:
    """One attribute's dimension.

    sign: +1 where the attribute grows with z, -1 where it falls; tied: regularized in training, else found as
    the dimension with the largest rank correlation; correlation: Spearman's rho of z and attribute over test
    codes; mean, sd, low, high: of the codes in this dimension (low, high: 0.5 % and 99.5 % quantile);
    least, most: the attribute's values in the data, 2.5 % and 97.5 % quantile.
    """

    attribute: str
    unit: str
    dimension: int
    sign: int
    tied: bool
    correlation: float
    mean: float
    sd: float
    low: float
    high: float
    least: float
    most: float


@dataclasses.dataclass(frozen=True, eq=False)
class Trained:
    """A trained run of a setup, its controls in the order of the data set's attributes, and how to measure
    outputs.

    measure: outputs (n, ...) -> attributes (n, k), or None for a data set whose attributes are not computed
    from the example; see `arvae.evaluation.outputs.measurer`.
    """

    setup: Setup
    run: str
    model: nn.Module
    controls: tuple[Control, ...]
    vocabulary: Vocabulary | None
    measure: outputs.Measure | None

    @property
    def names(self) -> tuple[str, ...]:
        """The attributes, in the order of what `measure` returns."""
        return tuple(control.attribute for control in self.controls)

    def control(self, name: str) -> Control:
        """The control of an attribute; spaces and underscores are the same. EditError with the nearest name."""
        plain = name.replace("_", " ").strip().lower()
        for control in self.controls:
            if control.attribute.replace("_", " ").lower() == plain:
                return control
        raise EditError(unknown(f"attribute of {self.setup.dataset}", plain, self.names))

    def encode(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Examples (see `inputs`) -> means and standard deviations of their codes, (n, d) each."""
        parts = []
        with torch.inference_mode():
            for start in range(0, len(x), _BATCH):
                mean, log_std = self.model.encode(inputs(x[start : start + _BATCH], self.vocabulary))
                parts.append((mean.numpy(), log_std.exp().numpy()))
        if not parts:
            return np.empty((0, self.setup.latent_dim), np.float32), np.empty(
                (0, self.setup.latent_dim), np.float32
            )
        return np.concatenate([mean for mean, _ in parts]), np.concatenate([std for _, std in parts])

    def decode(self, z: np.ndarray) -> np.ndarray:
        """Codes (n, d) -> images uint8 (n, h, w), 0..255, or measures int16 (n, 24)."""
        return outputs.decode(self.model, z, self.vocabulary)


def inputs(x: np.ndarray, vocabulary: Vocabulary | None) -> torch.Tensor:
    """Examples as a model takes them: measures (n, 24) as tokens; images (n, h, w), bool or bytes 0..255, as
    float32 (n, 1, h, w) in 0..1."""
    if vocabulary is not None:
        return torch.from_numpy(vocabulary.encode(np.asarray(x)))
    top = 255.0 if x.dtype == np.uint8 else 1.0
    return torch.from_numpy(np.ascontiguousarray(x, np.float32) / top).unsqueeze(1)


def examples(split: Split, index: np.ndarray) -> np.ndarray:
    """Examples of a split as `inputs` takes them; binary images, kept as bits, come as bool."""
    x = split.x[index]
    return x.astype(bool) if isinstance(split.x, PackedImages) else x


def find(name: str, run: str | None = None, home: Path | None = None) -> tuple[Path, str]:
    """The folder and the run that `name` means: a data set ("folk": its AR-VAE), a setup ("folk-betavae"),
    or a folder with weights. `run`: None for the first there is. EditError where there is none."""
    home = home or paths.root()
    models = home / "data" / "models"
    choices = [models / name, models / f"{name}-arvae", Path(name)]
    folder = next((folder for folder in choices if any(folder.glob("*.safetensors"))), None)
    if folder is None:
        there = sorted(path.name for path in models.glob("*") if any(path.glob("*.safetensors")))
        raise EditError(
            f"no trained model {name!r} (trained here: {', '.join(there) or 'none'}): "
            f"train it with `dvc repro train@{name if '-' in name else name + '-arvae'}`"
        )
    runs = sorted((path.stem for path in folder.glob("*.safetensors")), key=_natural)
    if run is not None and run not in runs:
        raise EditError(unknown(f"run of {folder.name}", run, runs))
    return folder, run or runs[0]


def _natural(name: str) -> tuple[str, int]:
    digits = name[len(name.rstrip("0123456789")) :]
    return name.rstrip("0123456789"), int(digits or 0)


def load(name: str, run: str | None = None, home: Path | None = None, data: Dataset | None = None) -> Trained:
    """Load a trained model and its controls; these are measured on the test split once and then kept in
    data/cache.

    Args:
        name, run: see `find`.
        data: the prepared data set, if it is at hand already.

    Raises:
        EditError: no such model, a model that has no controls (Fader network), or no data to measure them on.
    """
    home = home or paths.root()
    folder, run = find(name, run, home)
    path = folder / f"{run}.safetensors"
    try:
        record = checkpoints.read_tensors(path)[1]
        model = load_model(folder, run)
    except checkpoints.DamagedError as error:
        raise EditError(f"{error}: train it again with `dvc repro -f train@{folder.name}`") from error
    setup = setup_from(record["setup"])
    if hasattr(model, "complete"):
        raise EditError(
            f"{folder.name} is a {setup.hyperparameters.objective} model: it takes attributes as inputs and has no "
            "latent dimension to turn; use a beta-VAE or AR-VAE"
        )
    prepared = home / "data" / "prepared" / setup.dataset
    manifest = prepared / "manifest.json"
    if not manifest.is_file():
        raise EditError(
            f"the range of each control is measured on {setup.dataset}, which is not in {prepared}: "
            f"make it with `dvc repro data@{setup.dataset}`"
        )
    facts = read_json(manifest)
    vocabulary = Vocabulary(**facts["vocabulary"]) if facts["vocabulary"] else None
    measure = outputs.measurer(
        SimpleNamespace(
            kind=setup.kind,
            attribute_names=tuple(facts["attribute_names"]),
            provenance=facts["provenance"],
        )
    )
    bare = Trained(setup, run, model, (), vocabulary, measure)
    key = hashlib.sha256(
        f"{_VERSION} {sha256(path)} {facts['files']['test.npz']['sha256']}".encode()
    ).hexdigest()[:16]
    kept = home / "data" / "cache" / "controls" / f"{folder.name}-{run}-{key}.json"
    controls = _kept(kept)
    if controls is None:
        try:
            controls = measured(bare, data or datasets.load(setup.dataset, prepared))
        except DataError as error:
            raise EditError(str(error)) from error
        write_json(kept, [dataclasses.asdict(control) for control in controls])
    return dataclasses.replace(bare, controls=controls)


def _kept(path: Path) -> tuple[Control, ...] | None:
    if not path.is_file():
        return None
    try:
        return tuple(Control(**fields) for fields in read_json(path))
    except (ValueError, TypeError):  # damaged: measured again
        return None


def codes(trained: Trained, data: Dataset, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Sampled codes z (m, d) and attributes (m, k) of `count` test examples chosen by `seed` (all, if
    fewer)."""
    random = np.random.default_rng(seed)
    chosen = np.sort(random.permutation(len(data.test))[:count])
    mean, std = trained.encode(examples(data.test, chosen))
    return mean + std * random.standard_normal(mean.shape, np.float32), data.test.attributes[chosen]


def measured(trained: Trained, data: Dataset) -> tuple[Control, ...]:
    """The controls of a model, from codes of the test split."""
    z, attributes = codes(trained, data, SAMPLES[trained.setup.kind])
    tied = dict(zip(trained.setup.attributes, trained.setup.dimensions, strict=True))
    if trained.setup.hyperparameters.gamma == 0:
        tied = {}
    rho = correlations(z, attributes)  # (d, k)
    free = np.setdiff1d(np.arange(z.shape[1]), list(tied.values()))
    controls = []
    for column, (name, unit) in enumerate(zip(data.attribute_names, data.attribute_units, strict=True)):
        dimension = tied.get(name)
        if dimension is None:
            dimension = int(free[np.abs(rho[free, column]).argmax()])
        here = z[:, dimension].astype(np.float64)
        low, high = np.quantile(here, [OUTSIDE, 1 - OUTSIDE])
        least, most = np.quantile(attributes[:, column], [0.025, 0.975])
        controls.append(
            Control(
                attribute=name,
                unit=unit,
                dimension=dimension,
                sign=1 if name in tied or rho[dimension, column] >= 0 else -1,
                tied=name in tied,
                correlation=round(float(rho[dimension, column]), 4),
                mean=float(here.mean()),
                sd=float(here.std()),
                low=float(low),
                high=float(high),
                least=float(least),
                most=float(most),
            )
        )
    return tuple(controls)


def correlations(z: np.ndarray, attributes: np.ndarray) -> np.ndarray:
    """Spearman's rho of every dimension of z (n, d) with every attribute (n, k): (d, k); 0 for what is
    constant."""
    ranks = [stats.rankdata(values, axis=0) for values in (z, attributes)]
    a, b = (r - r.mean(axis=0) for r in ranks)
    power = np.sqrt((a**2).sum(axis=0)[:, None] * (b**2).sum(axis=0)[None])
    return np.where(power > 0, a.T @ b / np.where(power > 0, power, 1), 0.0)
