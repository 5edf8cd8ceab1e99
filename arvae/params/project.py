"""params.yaml as a whole: do its sections fit together, and what follows from them for one training."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Self, get_args

from pydantic import Field, model_validator

from arvae import paths
from arvae.datasets import catalogue
from arvae.params.faults import ParamsError, checked, unknown
from arvae.params.schema import (
    Architecture,
    ClassifierParams,
    ClassifierSchedule,
    DatasetParams,
    Engine,
    EvaluationSizes,
    Hyperparameters,
    ImageArchitecture,
    Kind,
    ModelByKind,
    MusicArchitecture,
    Names,
    Network,
    Scale,
    ScaleParams,
    Schedule,
    Section,
    Seeds,
    Studies,
)

KINDS = get_args(Kind)


class SetupName(NamedTuple):
    """What a setup is made of: a data set, a model, and the kind of data."""

    dataset: str
    model: str
    kind: Kind


class Setup(Section):
    """One training setup, data set x model, with all that decides its weights but the seed.

    A run of the setup is a seed and, in a study, other values for some of the loss's hyperparameters:
    `setup.replace(gamma=1.0)`.
    """

    name: str
    dataset: str
    model: str
    kind: Kind
    scale: Scale
    latent_dim: int
    batch_size: int
    attributes: tuple[str, ...]
    dimensions: tuple[int, ...]
    architecture: Architecture
    hyperparameters: Hyperparameters
    schedule: Schedule
    seeds: tuple[int, ...]
    engine: Engine

    def replace(self, **hyperparameters: float | str) -> "Setup":
        """The same setup with other values for some hyperparameters, checked like params.yaml."""
        values = self.hyperparameters.model_dump() | hyperparameters
        return self.model_copy(
            update={"hyperparameters": checked(Hyperparameters, values, f"setup {self.name}")}
        )


class Params(Section):
    """The whole of params.yaml.

    `networks`, `setups`, and the `data` and `training` of a scale have entries for the two kinds of data, and
    for single data sets where these differ from their kind (see `entry`).
    """

    scale: Scale
    seeds: Seeds
    datasets: dict[str, DatasetParams]
    networks: dict[str, Network]
    models: dict[str, ModelByKind]
    models_of: Annotated[dict[str, Names], Field(alias="setups")]
    classifier: ClassifierParams
    studies: Studies
    scales: dict[Scale, ScaleParams]
    engine: Engine

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for where, seeds in self._all_seeds().items():
            if len(set(seeds)) != len(seeds):
                raise ValueError(f"{where}: {list(seeds)} has a seed twice; give each run its own")
        if self.scale not in self.scales:
            raise ValueError(unknown("scale", self.scale, self.scales))
        for name in set(self.datasets) & set(self.studies.datasets):
            raise ValueError(f"{name} stands in datasets and in studies.datasets; it can be made only once")
        self._check_entries("networks", self.networks)
        self._check_entries("setups", self.models_of)
        for name, source in self.sources.items():
            self._check_source(name, source)
            if self._attributes(name) is not None:
                self._network(name)
        first = next(iter(self.scales.values()))
        for scale, sizes in self.scales.items():
            for part in ("data", "training"):
                section, same = getattr(sizes, part), getattr(first, part)
                self._check_entries(f"scales.{scale}.{part}", section)
                for name in sorted(set(section) ^ set(same)):
                    raise ValueError(f"scales: only some have {part}.{name}; give it to all or to none")
        for name in self.studies.setups:
            if name not in self.sources:
                raise ValueError(unknown("studies.setups", name, self.sources))
        for setup, (_, model, kind) in (self.setups | self.study_setups).items():
            if model not in self.models:
                raise ValueError(unknown(f"setups: {setup}", model, self.models))
            if getattr(self.models[model], kind) is None:
                raise ValueError(f"setups: {setup} needs models.{model}.{kind}, which is missing; add it")
            self._check_labels(setup)
        for name in set(self.setups) & set(self.study_setups):
            raise ValueError(f"{name} stands in setups and in studies.setups; it can be trained only once")
        grid = f"{self.studies.grid.dataset}-{self.studies.grid.model}"
        if grid not in (known := self.setups | self.study_setups):
            raise ValueError(unknown("studies.grid", grid, known))
        return self

    def _all_seeds(self) -> dict[str, tuple[int, ...]]:
        """All lists of seeds by where they stand; those of a scale are of known data sets or kinds."""
        found = {"seeds": self.seeds}
        for scale, sizes in self.scales.items():
            for name, seeds in sizes.seeds.items():
                where = f"scales.{scale}.seeds.{name}"
                if name not in (known := [*self.sources, *KINDS]):
                    raise ValueError(unknown(where, name, known))
                found[where] = seeds
        return found

    def _check_entries(self, where: str, section: Mapping[str, object]) -> None:
        for name in sorted(set(section) - {*self.sources, *KINDS}):
            raise ValueError(unknown(f"{where}.{name}", name, [*self.sources, *KINDS]))
        for kind in sorted(set(KINDS) - set(section)):
            raise ValueError(f"{where} has no entry for {kind}; add one, for every data set of that kind")

    def _check_source(self, name: str, source: DatasetParams) -> None:
        if name in KINDS:
            raise ValueError(f"datasets.{name}: this is the name of a kind; give the data set another")
        if source.like is not None and source.like not in catalogue.data_sets():
            raise ValueError(unknown(f"datasets.{name}.like", source.like, catalogue.data_sets()))
        for attribute in source.own:
            if attribute not in (functions := catalogue.own_attributes()):
                raise ValueError(unknown(f"datasets.{name}.own", attribute, functions))
        known = self._attributes(name)
        for attribute in source.leave_out if known else ():
            if attribute not in known:
                raise ValueError(unknown(f"datasets.{name}.leave_out", attribute, known))
        if source.source not in (allowed := catalogue.sources_of(name, source.like)):
            raise ValueError(unknown(f"datasets.{name}.source", source.source, allowed))

    def _check_labels(self, setup: str) -> None:
        """Attributes that are not known must not be regularized as if they were."""
        dataset, model, kind = (self.setups | self.study_setups)[setup]
        loss = getattr(self.models[model], kind)
        if self.sources[dataset].labelled and loss.gamma and loss.objective != "semisupervised":
            raise ValueError(
                f"setups: {setup}: {dataset} has attributes for a share of its examples only (labelled), and "
                f"objective {loss.objective!r} needs all: use a model whose objective is semisupervised"
            )

    def _attributes(self, name: str) -> tuple[str, ...] | None:
        """All attributes of a data set; None for a folder of pictures, whose table has them."""
        source = self.sources[name]
        return catalogue.attributes_of(name, source.own, source.like, source.kind)

    def _network(self, name: str) -> dict[str, Any]:
        """The fields of a data set's network: its own entry over that of `like`, over that of its kind."""
        source, where = self.sources[name], f"networks.{name}"
        kind, like, own = (self.networks.get(key) for key in (source.kind, source.like, name))
        fields = {key: value for layer in (kind, like) for key, value in layer or () if value is not None}
        fields = {key: fields[key] for key in fields if key not in ("attributes", "dimensions")}
        fields |= {key: value for key, value in own or () if value is not None}
        for key in ("latent_dim", "batch_size", "architecture"):
            if key not in fields:
                raise ValueError(f"networks.{source.kind}.{key} is missing; add it")
        expected = ImageArchitecture if source.kind == "images" else MusicArchitecture
        if not isinstance(fields["architecture"], expected):
            raise ValueError(
                f"{where}.architecture {fields['architecture'].model_dump()} is not one of "
                f"{source.kind}: give {', '.join(expected.model_fields)}"
            )
        known = self._attributes(name)
        if "attributes" not in fields:
            fields["attributes"] = known or _table(name, source)
        attributes = fields["attributes"]
        for attribute in attributes if known else ():
            if attribute not in known:
                raise ValueError(unknown(f"{where}.attributes", attribute, known))
        first, latent_dim = int(source.kind == "images"), fields["latent_dim"]
        dimensions = fields.setdefault("dimensions", tuple(range(first, first + len(attributes))))
        for what, values in (("attributes", attributes), ("dimensions", dimensions)):
            if twice := sorted({str(value) for value in values if values.count(value) > 1}):
                raise ValueError(f"{where}.{what} names {', '.join(twice)} more than once; give each once")
        if len(attributes) != len(dimensions):
            raise ValueError(
                f"{where}: {len(attributes)} attributes but {len(dimensions)} dimensions; "
                "give one dimension for each attribute"
            )
        if beyond := [dimension for dimension in dimensions if dimension >= latent_dim]:
            raise ValueError(
                f"{where}: dimensions {beyond} are not below latent_dim = {latent_dim}: use 0 to "
                f"{latent_dim - 1}, or a larger latent_dim"
            )
        return fields

    def entry(self, section: Collection[str], dataset: str) -> str:
        """Which entry of a section holds for a data set: its own, else that of `like`, else its kind's."""
        source = self.sources[dataset]
        return next(name for name in (dataset, source.like, source.kind) if name in section)

    @property
    def sources(self) -> dict[str, DatasetParams]:
        """All data sets, those of the studies included."""
        return self.datasets | self.studies.datasets

    @property
    def setups(self) -> dict[str, SetupName]:
        """The setups of the main pipeline by name, <data set>-<model>."""
        models = {name: self.models_of[self.entry(self.models_of, name)] for name in self.datasets}
        return self._setups(models)

    @property
    def study_setups(self) -> dict[str, SetupName]:
        """The setups of the studies, by name."""
        return self._setups(self.studies.setups)

    def _setups(self, models: Mapping[str, Names]) -> dict[str, SetupName]:
        return {
            f"{dataset}-{model}": SetupName(dataset, model, self.sources[dataset].kind)
            for dataset, names in models.items()
            for model in names
        }

    def reports(self, name: str) -> Path:
        """The folder, from the project's root, of the results of a setup or of a data set's report."""
        aside = name in self.study_setups or name in self.studies.datasets
        return Path("studies/reports" if aside else "reports")

    def setup(self, dataset: str, model: str) -> Setup:
        """The setup of a data set and a model at the chosen scale; ParamsError if there is none."""
        key, known = f"{dataset}-{model}", self.setups | self.study_setups
        if key not in known:
            raise ParamsError(unknown("setup", key, known))
        training, seeds = self.scales[self.scale].training, self.scales[self.scale].seeds
        try:
            network = self._network(dataset)
        except ValueError as error:
            raise ParamsError(f"params.yaml: {error}") from error
        return Setup(
            name=key,
            dataset=dataset,
            model=model,
            kind=known[key].kind,
            scale=self.scale,
            hyperparameters=getattr(self.models[model], known[key].kind),
            schedule=training[self.entry(training, dataset)],
            seeds=seeds.get(self.entry({*seeds, known[key].kind}, dataset), self.seeds),
            engine=self.engine,
            **network,
        )

    def grid(self) -> tuple[Setup, dict[str, dict[str, float]]]:
        """The hyperparameter study: its setup, <data set>-grid, and each setting's hyperparameters by name.

        The settings are all pairs of the scale's gamma and delta, at the study's beta.
        """
        study, sizes = self.studies.grid, self.scales[self.scale].grid
        changed = {"name": f"{study.dataset}-grid", "schedule": sizes.training, "seeds": (study.seed,)}
        setup = self.setup(study.dataset, study.model).replace(beta=study.beta).model_copy(update=changed)
        settings = {
            f"gamma{gamma:g}-delta{delta:g}": {"gamma": gamma, "delta": delta}
            for gamma in sizes.gamma
            for delta in sizes.delta
        }
        return setup, settings

    def folder(self, dataset: str) -> Path | None:
        """The folder of a data set's own files; a relative one starts at the project's root."""
        return _absolute(self.sources[dataset].folder)

    def data_sizes(self, dataset: str) -> dict[str, int | None]:
        """How many examples of each split the data stage keeps at the chosen scale."""
        data = self.scales[self.scale].data
        return data[self.entry(data, dataset)].model_dump()

    @property
    def evaluation(self) -> EvaluationSizes:
        """Sizes of the evaluation at the chosen scale."""
        return self.scales[self.scale].evaluation

    @property
    def classifier_schedule(self) -> ClassifierSchedule:
        """Schedule of the digit classifier at the chosen scale."""
        return self.scales[self.scale].classifier


def _table(name: str, source: DatasetParams) -> tuple[str, ...]:
    """The attributes of a folder of pictures, from its attributes.csv, and those added to them."""
    from arvae.datasets import custom  # only here: it takes a while to import

    if source.folder is None:
        raise ParamsError(f"datasets.{name} is no known data set and has no folder; give it one")
    try:
        _, names, *_ = custom.read_table(_absolute(source.folder) / custom.TABLE)
    except ValueError as error:
        raise ParamsError(f"datasets.{name}: {error}") from error
    return (*names, *source.own)


def _absolute(folder: str | None) -> Path | None:
    if folder is None:
        return None
    path = Path(folder).expanduser()
    return path if path.is_absolute() else paths.project() / path
