"""A trained model: encode, decode, measure, and turn the latent dimension of an attribute.

model = TrainedModel.load("folk")                       # the first run of the AR-VAE trained on folk tunes
z, _ = model.encode(measures)                           # means of the codes (n, d)
model.dimension_of("note density")                      # 2
model.traverse(z, "note density", [0.0, 1.0, 2.0])      # decoded measures (3, n, 24)

Which attribute is regularized along which dimension, and which dimension is turned where none is, is decided
here and nowhere else. A Fader network has no such dimension: its decoder takes the attributes themselves,
scaled to 0..1. They stand behind the latent code, so that its codes here are (n, d + inputs).
"""

import contextlib
import copy
import dataclasses
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from arvae import datasets, metrics, paths
from arvae.datasets import examples
from arvae.datasets.contract import Dataset
from arvae.datasets.measuring import DRAWN, Measure, measurer
from arvae.files import read_json, sha256, write_json
from arvae.metrics.density import observed_range
from arvae.models.glsr import EXPRESSIBLE
from arvae.music.coding import Vocabulary
from arvae.params import Setup
from arvae.params.faults import unknown
from arvae.training import checkpoints, load_model
from arvae.training.precision import plan
from arvae.training.runs import setup_from

SHIPPED = Path("data/weights")  # weights that come with the project, see compendium.weights
LOW, HIGH = -4.0, 4.0  # the range of a latent dimension that the paper traverses (section 4.4)
Values = Sequence[float] | np.ndarray
SAMPLES = {"images": 2000, "music": 4000}  # test codes that controls are measured on
_BATCH = {"images": 128, "music": 1024}
_VERSION = 2  # of the kept controls


class ModelError(ValueError):
    """A trained model that is not there or cannot be used; the message says what to do."""


@dataclasses.dataclass(frozen=True)
class Control:
    """One attribute's dimension, as measured on codes of test examples.

    sign: +1 where the attribute grows with z, -1 where it falls; regularized: by the loss, else the
    dimension was found (`TrainedModel.dimension_of`); correlation: Spearman's rho of z and the attribute;
    mean, sd, low, high: of the codes in this dimension (low, high: 0.5 % and 99.5 % quantile; 0 and 1 for an
    input of a Fader network); least, most: the attribute's values in the data, 2.5 % and 97.5 % quantile.
    """

    attribute: str
    unit: str
    dimension: int
    sign: int
    regularized: bool
    correlation: float
    mean: float
    sd: float
    low: float
    high: float
    least: float
    most: float


@dataclasses.dataclass(frozen=True, eq=False)
class TrainedModel:
    """A run of a setup with what its data set says of it; frozen, its methods give arrays.

    network: in eval mode; measurer: see `arvae.datasets.measuring`, None where attributes are not computed
    from the example; controls: in the order of the attributes, empty until `fitted`; information: mutual
    information (d, k) of latent dimensions and attributes in nats; origin: where it was loaded from, in
    words.
    """

    setup: Setup
    run: str
    network: nn.Module
    attribute_names: tuple[str, ...]
    attribute_units: tuple[str, ...]
    vocabulary: Vocabulary | None = None
    measurer: Measure | None = None
    controls: tuple[Control, ...] = ()
    information: np.ndarray | None = None
    origin: str = ""

    @classmethod
    def load(
        cls, name: str, run: str | None = None, home: Path | None = None, data: Dataset | None = None
    ) -> Self:
        """A trained model with its controls, measured once on the test split and then kept in data/cache.

        Where none of that name is trained here, the weights that come with the project (`SHIPPED`), whose
        controls were measured when they were made: these need no data.

        Args:
            name: a data set ("folk": its AR-VAE), a setup ("folk-betavae"), or a folder with weights.
            run: "seed1"; None: the first there is.
            home: the project's folder; data: the prepared data set, if it is at hand already.

        Raises:
            ModelError: no such model or run, damaged weights, or no data to measure the controls on.
            DataError: those data are damaged.
        """
        home = home or paths.root()
        folder, run = find(name, run, home)
        path = folder / f"{run}.safetensors"
        try:
            record = checkpoints.read_tensors(path)[1]
            setup, network = setup_from(record["setup"]), load_model(folder, run)
            if "controls" in record:
                return cls._shipped(path, record, network)
            prepared = home / "data" / "prepared" / setup.dataset
            facts = manifest(prepared)
            model = cls.of(setup, run, network, _facts(facts))
        except checkpoints.DamagedError as error:
            remedy = "git checkout" if folder.name == SHIPPED.name else f"dvc repro -f train@{folder.name}"
            raise ModelError(f"{error}: make it again with `{remedy}`") from error
        model = dataclasses.replace(model, origin=f"trained here: {_within(path)}")
        key = f"{_VERSION} {sha256(path)} {facts['files']['test.npz']['sha256']}"
        digest = hashlib.sha256(key.encode()).hexdigest()[:16]
        kept = home / "data" / "cache" / "controls" / f"{folder.name}-{run}-{digest}.json"
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):  # not there yet, or damaged
            return model._with(read_json(kept))
        data = data or datasets.load(setup.dataset, prepared)
        model = model.fitted(*model.test_codes(data, SAMPLES[setup.kind]))
        controls = [dataclasses.asdict(control) for control in model.controls]
        write_json(kept, {"controls": controls, "information": model.information.tolist()})
        return model

    @classmethod
    def _shipped(cls, path: Path, record: dict[str, Any], network: nn.Module) -> Self:
        setup = setup_from(record["setup"])
        model = cls.of(setup, record["name"], network, _facts(record["facts"]))._with(record)
        origin = f"comes with the project: {_within(path)} (scale {setup.scale}, {record['name']})"
        return dataclasses.replace(model, origin=origin)

    def _with(self, known: dict[str, Any]) -> Self:
        """The same model with controls as they were kept."""
        controls = tuple(Control(**fields) for fields in known["controls"])
        return dataclasses.replace(self, controls=controls, information=np.array(known["information"]))

    @classmethod
    def of(cls, setup: Setup, run: str, network: nn.Module, data: Any) -> Self:
        """A model without controls. data: its data set, or what has the same names, units, vocabulary ..."""
        names = tuple(data.attribute_names)
        measure = measurer(data.kind, names, data.provenance)
        return cls(setup, run, network, names, tuple(data.attribute_units), data.vocabulary, measure)

    # ------------------------------------------------------------------ which attribute, which dimension

    @property
    def regularized(self) -> dict[str, int]:
        """Attribute -> dimension, for what the loss regularized: none at gamma 0, with GLSR-VAE only what it
        can express. With a Fader network: attribute -> the decoder's input."""
        setup, pairs = self.setup, zip(self.setup.attributes, self.setup.dimensions, strict=True)
        if self.has_inputs:
            return {name: setup.latent_dim + place for place, name in enumerate(setup.attributes)}
        if setup.hyperparameters.gamma == 0:
            return {}
        if setup.hyperparameters.objective == "glsr":
            return {name: dimension for name, dimension in pairs if name in EXPRESSIBLE}
        return dict(pairs)

    @property
    def has_inputs(self) -> bool:
        """Whether the decoder takes attributes beside the code (Fader network)."""
        return hasattr(self.network, "complete")

    def dimension_of(self, attribute: str) -> int:
        """The dimension that is turned for an attribute: the regularized one, else the one with the largest
        mutual information, which is the published rule."""
        name = self._name(attribute)
        if name in self.regularized:
            return self.regularized[name]
        if self.information is None:
            raise ModelError(f"which dimension knows {name} is not measured yet: load the model, or `fitted`")
        return int(metrics.choose_dimensions(self.information)[self.attribute_names.index(name)])

    def pair(self, a: str, b: str) -> tuple[int, int]:
        """Two different dimensions for two attributes: where both have the same one, b gets its next best."""
        first, second = self.dimension_of(a), self.dimension_of(b)
        if first == second and self.information is not None:
            known = self.information[:, self.attribute_names.index(self._name(b))].copy()
            known[first] = -np.inf
            second = int(known.argmax())
        return first, second

    def range_of(self, attribute: str) -> tuple[float, float]:
        """What the paper traverses: -4..4 of a latent dimension; 0..1 of a decoder's input."""
        return (0.0, 1.0) if self.dimension_of(attribute) >= self.setup.latent_dim else (LOW, HIGH)

    def control(self, attribute: str) -> Control:
        """The control of an attribute; spaces and underscores are the same."""
        return self.controls[self.attribute_names.index(self._name(attribute))]

    def _name(self, attribute: str) -> str:
        plain = attribute.replace("_", " ").strip().lower()
        for name in self.attribute_names:
            if name.replace("_", " ").lower() == plain:
                return name
        raise ModelError(unknown(f"attribute of {self.setup.dataset}", plain, self.attribute_names))

    # ------------------------------------------------------------------ examples, codes, attributes

    def encode(self, x: np.ndarray, attributes: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Means and standard deviations of codes, float32 (n, d) each.

        x: examples as the data set gives them: images (n, h, w), bool or bytes 0..255, or measures (n, 24).
        attributes (n, k): what a Fader network's decoder is given; None: measured on x.
        """
        size, parts = _BATCH[self.setup.kind], []
        with torch.inference_mode():
            for start in range(0, len(x), size):
                parts.append(self.network.encode(self._inputs(x[start : start + size])))
            empty = torch.empty(0, self.setup.latent_dim)
            mean, log_std = (
                torch.cat(side).float() for side in zip(*(parts or [(empty, empty)]), strict=True)
            )
            std = log_std.exp()
            if self.has_inputs:
                if attributes is None and not self.measurable:
                    raise ModelError(f"{self.setup.name}: give `attributes`: they cannot be measured on x")
                values = self.measure(x) if attributes is None else attributes
                columns = [self.attribute_names.index(name) for name in self.setup.attributes]
                given = torch.from_numpy(np.ascontiguousarray(values[:, columns], np.float32)).to(mean)
                mean = self.network.complete(mean, given)
                std = torch.cat([std, torch.zeros_like(given)], dim=1)
        return mean.cpu().numpy(), std.cpu().numpy()

    def sample(self, x: np.ndarray, seed: int, attributes: np.ndarray | None = None) -> np.ndarray:
        """Codes drawn from the posterior of each example, float32 (n, d); see `encode`."""
        return draw(*self.encode(x, attributes), seed)

    def _inputs(self, x: np.ndarray) -> Tensor:
        device = next(self.network.parameters()).device
        if self.vocabulary is not None:
            return torch.from_numpy(self.vocabulary.encode(np.asarray(x))).to(device)
        top = 255.0 if x.dtype == np.uint8 else 1.0
        return (torch.from_numpy(np.ascontiguousarray(x, np.float32)) / top).unsqueeze(1).to(device)

    def decode(self, z: np.ndarray, allowed: np.ndarray | None = None) -> np.ndarray:
        """Codes (n, d) -> images uint8 (n, h, w), probabilities times 256 (128 and more: above one half), or
        measures int16 (n, 24), the decoder's own arg-max symbols.

        allowed: bool (V,), the only symbols it may choose among, tick by tick: each of them is what the next
        one is chosen after.
        """
        network = self.network if allowed is None else _limited(self.network, allowed)
        device = next(self.network.parameters()).device
        codes = torch.as_tensor(np.ascontiguousarray(z), dtype=torch.float32).to(device)
        with torch.inference_mode():
            logits = (network.decode(part) for part in codes.split(_BATCH[self.setup.kind]))
            if self.vocabulary is None:
                return torch.cat([as_bytes(part) for part in logits]).cpu().numpy()
            tokens = torch.cat([part.argmax(dim=-1) for part in logits])
        return self.vocabulary.decode(tokens.cpu().numpy())

    @property
    def measurable(self) -> bool:
        """Whether the attributes can be measured on examples."""
        return self.measurer is not None

    def measure(self, examples: np.ndarray) -> np.ndarray:
        """Attributes of examples as `decode` gives them (or bool images): float64 (n, k), NaN where one
        cannot be measured."""
        if not self.measurable or not len(examples):
            return np.full((len(examples), len(self.attribute_names)), np.nan)
        return self.measurer(as_shown(examples)).astype(np.float64)

    # ------------------------------------------------------------------ turning dimensions

    def traverse(self, z: np.ndarray, attribute: str, values: Values) -> np.ndarray:
        """Codes z (n, d) decoded with the attribute's dimension set to each of p values: (p, n, ...)."""
        z = np.asarray(z, np.float32)
        codes = np.repeat(z[None], len(values), axis=0)  # (p, n, d)
        codes[:, :, self.dimension_of(attribute)] = np.asarray(values)[:, None]
        decoded = self.decode(codes.reshape(-1, z.shape[1]))
        return decoded.reshape(len(values), len(z), *decoded.shape[1:])

    def plane(self, z: np.ndarray, a: str, b: str, values_a: Values, values_b: Values) -> np.ndarray:
        """One code z (d,) decoded over a grid of two attributes' dimensions (`pair`): (len(b), len(a), ...).

        a grows along a row; row 0 has b at values_b[0].
        """
        first, second = self.pair(a, b)
        codes = np.tile(np.asarray(z, np.float32), (len(values_b), len(values_a), 1))
        codes[:, :, first] = np.asarray(values_a)
        codes[:, :, second] = np.asarray(values_b)[:, None]
        decoded = self.decode(codes.reshape(-1, codes.shape[-1]))
        return decoded.reshape(len(values_b), len(values_a), *decoded.shape[1:])

    def surface(self, z: np.ndarray, a: str, b: str, values_a: Values, values_b: Values) -> np.ndarray:
        """Every attribute measured on `plane`: (len(b), len(a), k); see `measure`."""
        frames = self.plane(z, a, b, values_a, values_b)
        return self.measure(frames.reshape(-1, *frames.shape[2:])).reshape(*frames.shape[:2], -1)

    # ------------------------------------------------------------------ controls

    def test_codes(self, data: Dataset, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Sampled codes (m, d) and attributes (m, k) of `count` test examples chosen by `seed` (or all)."""
        chosen = np.sort(np.random.default_rng(seed).permutation(len(data.test))[:count])
        attributes = data.test.attributes[chosen]
        return self.sample(examples(data.test, chosen), seed, attributes), attributes

    def fitted(self, z: np.ndarray, attributes: np.ndarray, information: np.ndarray | None = None) -> Self:
        """The same model with controls measured on codes z (n, d) and attributes (n, k) of the same examples.

        information: the mutual information (d, k) of both, where it is known already.
        """
        if information is None:
            information = metrics.mutual_information(z[:, : self.setup.latent_dim], attributes)
        model = dataclasses.replace(self, information=np.asarray(information))
        rho, (lows, highs) = metrics.spearman_matrix(z, attributes), observed_range(z)
        lows[self.setup.latent_dim :], highs[self.setup.latent_dim :] = 0, 1
        mean, sd = z.mean(axis=0, dtype=np.float64), z.std(axis=0, dtype=np.float64)
        least, most = np.quantile(attributes, [0.025, 0.975], axis=0)
        controls = []
        for i, (name, unit) in enumerate(zip(self.attribute_names, self.attribute_units, strict=True)):
            r, regularized = model.dimension_of(name), name in self.regularized
            sign = 1 if regularized or rho[r, i] >= 0 else -1
            numbers = (rho[r, i].round(4), mean[r], sd[r], lows[r], highs[r], least[i], most[i])
            controls.append(Control(name, unit, r, sign, regularized, *map(float, numbers)))
        return dataclasses.replace(model, controls=tuple(controls))

    def prepared(self) -> Self:
        """The network on the engine's device: images in the precision of training, music in float32."""
        settled = plan(self.setup.engine)
        network = self.network.to(settled.device)
        dtype = settled.dtype if self.setup.kind == "images" else torch.float32
        for parameter in network.parameters():  # buffers, such as a range of attributes, stay in float32
            parameter.data = parameter.data.to(dtype)
        return dataclasses.replace(self, network=network)


class _Limited(nn.Module):
    """Logits for allowed symbols only, all of them above zero, which the others get."""

    def __init__(self, logits: nn.Module, allowed: Tensor) -> None:
        super().__init__()
        self.logits, self.allowed = logits, allowed

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(self.allowed, self.logits(x).relu() + 1, 0)


def _limited(network: nn.Module, allowed: np.ndarray) -> nn.Module:
    """The same network, whose decoder chooses among some of its symbols only."""
    if not hasattr(network, "logits"):
        raise ModelError(f"{type(network).__name__} decodes no symbols that could be left out")
    limited = copy.copy(network)
    limited._modules = dict(network._modules)  # the copy's own; the parameters are shared
    limited.logits = _Limited(network.logits, torch.from_numpy(allowed).to(network.logits.weight.device))
    return limited


def draw(mean: np.ndarray, std: np.ndarray, seed: int) -> np.ndarray:
    """One code (n, d) from N(mean, std^2)."""
    noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(seed))
    return mean + std * noise.numpy()


def as_bytes(logits: Tensor) -> Tensor:
    """Logits (n, 1, h, w) -> probabilities as uint8 (n, h, w); 128 and more where logit >= 0."""
    return (logits[:, 0].float().sigmoid() * 256).clamp_(0, 255).to(torch.uint8)


def same(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Share of symbols, or of pixels on the same side of one half, that two sets of examples (n, ...), as
    `decode` gives them, have in common: (n,), 0 to 1."""
    equal = before == after if before.ndim == 2 else (before >= DRAWN) == (after >= DRAWN)
    return equal.reshape(len(equal), -1).mean(axis=1)


def as_shown(examples: np.ndarray) -> np.ndarray:
    """Examples as a decoder gives them: bool images as bytes 0 and 255, all else as it is."""
    return examples.astype(np.uint8) * 255 if examples.dtype == bool else examples


def find(name: str, run: str | None = None, home: Path | None = None) -> tuple[Path, str]:
    """The folder with weights and the run that a name means; see `TrainedModel.load`."""
    home = home or paths.root()
    models, shipped = home / "data" / "models", paths.project(home) / SHIPPED
    names = [name, f"{name}-arvae"]
    choices = [*map(models.joinpath, names), Path(name)]
    folder = next((folder for folder in choices if any(folder.glob("*.safetensors"))), None)
    if folder is None:
        if run is None and (come := [one for one in names if (shipped / f"{one}.safetensors").is_file()]):
            return shipped, come[0]
        there = sorted(path.name for path in models.glob("*") if any(path.glob("*.safetensors")))
        raise ModelError(
            f"no trained model {name!r}{'' if run is None else f' with a {run}'} (trained here: "
            f"{', '.join(there) or 'none'}): "
            f"train it with `dvc repro train@{name if '-' in name else name + '-arvae'}`"
        )
    runs = sorted((path.stem for path in folder.glob("*.safetensors")), key=lambda run: (len(run), run))
    if run is not None and run not in runs:
        raise ModelError(unknown(f"run of {folder.name}", run, runs))
    return folder, run or runs[0]


def manifest(prepared: Path) -> dict[str, Any]:
    """What a prepared data set says of itself, without reading its arrays; ModelError where it is missing."""
    path = prepared / "manifest.json"
    if not path.is_file():
        raise ModelError(
            f"the range of each control is measured on {prepared.name}, which is not in {prepared}: "
            f"make it with `dvc repro data@{prepared.name}`"
        )
    return read_json(path)


def _facts(said: dict[str, Any]) -> SimpleNamespace:
    """A manifest with the attributes that `TrainedModel.of` asks of a data set."""
    vocabulary = Vocabulary(**said["vocabulary"]) if said["vocabulary"] else None
    return SimpleNamespace(**(said | {"vocabulary": vocabulary}))


def _within(path: Path) -> str:
    """A path from the working directory, where it is in there."""
    return os.path.relpath(path) if path.resolve().is_relative_to(Path.cwd()) else str(path)
