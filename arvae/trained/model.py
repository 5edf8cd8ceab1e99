"""The trained model itself: see `arvae.trained`."""

import contextlib
import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from arvae import datasets, metrics, paths
from arvae.datasets import examples
from arvae.datasets.contract import Dataset
from arvae.datasets.measuring import Measure, measurer
from arvae.files import read_json, sha256, write_json
from arvae.models.glsr import EXPRESSIBLE
from arvae.music.coding import Vocabulary
from arvae.params import Setup
from arvae.params.faults import unknown
from arvae.trained.controls import Control, measured
from arvae.trained.decoded import as_bytes, as_shown, draw, limited
from arvae.trained.weights import SHIPPED, ModelError, facts_of, find, manifest, within
from arvae.training import checkpoints, load_model
from arvae.training.precision import plan
from arvae.training.runs import setup_from

LOW, HIGH = -4.0, 4.0  # the range of a latent dimension that the paper traverses (section 4.4)
Values = Sequence[float] | np.ndarray
SAMPLES = {"images": 2000, "music": 4000}  # test codes that controls are measured on
_BATCH = {"images": 128, "music": 1024}
_VERSION = 2  # of the kept controls


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
            model = cls.of(setup, run, network, facts_of(facts))
        except checkpoints.DamagedError as error:
            remedy = paths.remedy("train", folder, command="dvc repro -f")
            remedy = f"`git checkout {within(path)}`" if folder.name == SHIPPED.name else remedy
            raise ModelError(f"{error}: make it again with {remedy}") from error
        model = dataclasses.replace(model, origin=f"trained here: {within(path)}")
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
        model = cls.of(setup, record["name"], network, facts_of(record["facts"]))._with(record)
        origin = f"comes with the project: {within(path)} (scale {setup.scale}, {record['name']})"
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
            raise ModelError(f"the best dimension for {name} is not known yet: load the model, or `fitted`")
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
        size, empty = _BATCH[self.setup.kind], torch.empty(0, self.setup.latent_dim)
        with torch.inference_mode():
            parts = [self.network.encode(self._inputs(x[i : i + size])) for i in range(0, len(x), size)]
            mean, log_std = (torch.cat(one).float() for one in zip(*parts or [(empty, empty)], strict=True))
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
        """Codes (..., d) -> images uint8 (..., h, w), probabilities times 256 (128 and more: above one half),
        or measures int16 (..., 24), the decoder's own arg-max symbols.

        allowed: bool (V,), the only symbols it may choose among, tick by tick: each of them is what the next
        one is chosen after.
        """
        network = self.network if allowed is None else limited(self.network, allowed)
        device = next(self.network.parameters()).device
        codes = torch.as_tensor(np.ascontiguousarray(z), dtype=torch.float32).to(device).flatten(0, -2)
        with torch.inference_mode():
            logits = (network.decode(part) for part in codes.split(_BATCH[self.setup.kind]))
            if self.vocabulary is None:
                examples = torch.cat([as_bytes(part) for part in logits]).cpu().numpy()
            else:
                tokens = torch.cat([part.argmax(dim=-1) for part in logits])
                examples = self.vocabulary.decode(tokens.cpu().numpy())
        return examples.reshape(*z.shape[:-1], *examples.shape[1:])

    @property
    def measurable(self) -> bool:
        """Whether the attributes can be measured on examples."""
        return self.measurer is not None

    def measure(self, examples: np.ndarray) -> np.ndarray:
        """Attributes of examples (..., h, w) or (..., 24) as `decode` gives them (or bool images): float64
        (..., k), NaN where one cannot be measured."""
        ahead = examples.shape[: -2 if self.vocabulary is None else -1]
        if not self.measurable or not examples.size:
            return np.full((*ahead, len(self.attribute_names)), np.nan)
        flat = as_shown(examples.reshape(-1, *examples.shape[len(ahead) :]))
        return self.measurer(flat).astype(np.float64).reshape(*ahead, -1)

    # ------------------------------------------------------------------ turning dimensions

    def traverse(self, z: np.ndarray, attribute: str, values: Values) -> np.ndarray:
        """Codes z (n, d) decoded with the attribute's dimension set to each of p values: (p, n, ...)."""
        z = np.asarray(z, np.float32)
        codes = np.repeat(z[None], len(values), axis=0)  # (p, n, d)
        codes[:, :, self.dimension_of(attribute)] = np.asarray(values)[:, None]
        return self.decode(codes)

    def plane(self, z: np.ndarray, a: str, b: str, values_a: Values, values_b: Values) -> np.ndarray:
        """One code z (d,) decoded over a grid of two attributes' dimensions (`pair`): (len(b), len(a), ...).

        a grows along a row; row 0 has b at values_b[0].
        """
        first, second = self.pair(a, b)
        codes = np.tile(np.asarray(z, np.float32), (len(values_b), len(values_a), 1))
        codes[:, :, first] = np.asarray(values_a)
        codes[:, :, second] = np.asarray(values_b)[:, None]
        return self.decode(codes)

    def surface(self, z: np.ndarray, a: str, b: str, values_a: Values, values_b: Values) -> np.ndarray:
        """Every attribute measured on `plane`: (len(b), len(a), k); see `measure`."""
        return self.measure(self.plane(z, a, b, values_a, values_b))

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
        return dataclasses.replace(model, controls=measured(model, z, attributes))

    def prepared(self) -> Self:
        """The network on the engine's device: images in the precision of training, music in float32."""
        settled = plan(self.setup.engine)
        network = self.network.to(settled.device)
        dtype = settled.dtype if self.setup.kind == "images" else torch.float32
        for parameter in network.parameters():  # buffers, such as a range of attributes, stay in float32
            parameter.data = parameter.data.to(dtype)
        return dataclasses.replace(self, network=network)
