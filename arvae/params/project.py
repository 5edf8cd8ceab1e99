"""params.yaml as a whole: do its sections fit together, and what follows from them for one training."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

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
    Kind,
    ModelByKind,
    Scale,
    ScaleParams,
    Schedule,
    Section,
    Seed,
    SetupName,
    Source,
    Studies,
)


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
        """The same setup with other values for some of its loss's hyperparameters, checked like params.yaml."""
        changed = checked(
            Hyperparameters, self.hyperparameters.model_dump() | hyperparameters, f"setup {self.name}"
        )
        return self.model_copy(update={"hyperparameters": changed})


class Params(Section):
    """The whole of params.yaml."""

    scale: Scale
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1, strict=False)]
    datasets: dict[str, DatasetParams]
    data: dict[str, Source]
    models: dict[str, ModelByKind]
    setups: dict[str, SetupName]
    classifier: ClassifierParams
    studies: Studies
    scales: dict[Scale, ScaleParams]
    engine: Engine

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"seeds: {list(self.seeds)} has a seed twice; give each run its own")
        if self.scale not in self.scales:
            raise ValueError(unknown("scale", self.scale, self.scales))
        for where, setups in (("setups", self.setups), ("studies.setups", self.studies.setups)):
            for key, setup in setups.items():
                self._check_setup(f"{where}.{key}", key, setup)
        for section, other in ((self.data, self.studies.data), (self.setups, self.studies.setups)):
            for key in set(section) & set(other):
                raise ValueError(f"{key} stands both under studies and outside; it can be made only once")
        self._check_entries("data", self.sources)
        for name, scale in self.scales.items():
            self._check_entries(f"scales.{name}.data", scale.data)
            self._check_entries(f"scales.{name}.training", scale.training)
        for name in self.datasets:
            self._check_source(name, self.sources[name])
        grid = self.studies.grid
        known = self.setups | self.studies.setups
        if f"{grid.dataset}-{grid.model}" not in known:
            raise ValueError(unknown("studies.grid", f"{grid.dataset}-{grid.model}", known))
        return self

    def _check_setup(self, where: str, key: str, setup: SetupName) -> None:
        if setup.dataset not in self.datasets:
            raise ValueError(unknown(f"{where}.dataset", setup.dataset, self.datasets))
        if setup.model not in self.models:
            raise ValueError(unknown(f"{where}.model", setup.model, self.models))
        if key != f"{setup.dataset}-{setup.model}":
            raise ValueError(f"{where}: its name must be {setup.dataset}-{setup.model}")
        kind = self.datasets[setup.dataset].kind
        if setup.kind != kind:
            raise ValueError(
                f"{where}.kind: {setup.kind}, but {setup.dataset} is {kind}; they must be the same"
            )
        if getattr(self.models[setup.model], setup.kind) is None:
            raise ValueError(f"{where}: models.{setup.model} has no section {setup.kind}; add one")

    def _check_entries(self, where: str, section: Iterable[str]) -> None:
        for name in sorted(set(section) ^ set(self.datasets)):
            if name in self.datasets:
                raise ValueError(f"{where} has no entry for the data set {name}; add one")
            raise ValueError(unknown(f"{where}.{name}", name, self.datasets))

    def _check_source(self, name: str, source: Source) -> None:
        if source.like is not None and source.like not in catalogue.ATTRIBUTES:
            raise ValueError(unknown(f"data.{name}.like", source.like, catalogue.ATTRIBUTES))
        for attribute in source.own:
            if attribute not in (functions := catalogue.own_attributes()):
                raise ValueError(unknown(f"data.{name}.own", attribute, functions))
        kind = self.datasets[name].kind
        names = catalogue.attributes_of(name, source.own, source.like, kind)
        for attribute in self.datasets[name].attributes if names is not None else ():
            if attribute not in names:
                raise ValueError(unknown(f"datasets.{name}.attributes", attribute, names))
        if source.source not in (allowed := catalogue.sources_of(name, source.like)):
            raise ValueError(unknown(f"data.{name}.source", source.source, allowed))

    @property
    def sources(self) -> dict[str, Source]:
        """Where each data set comes from, those of the studies included."""
        return self.data | self.studies.data

    def reports(self, name: str) -> Path:
        """The folder, from the project's root, of the results of a setup or of a data set's report."""
        aside = name in self.studies.setups or name in self.studies.data
        return Path("studies/reports" if aside else "reports")

    def setup(self, dataset: str, model: str) -> Setup:
        """The setup of a data set and a model at the chosen scale; ParamsError if there is none."""
        key, known = f"{dataset}-{model}", self.setups | self.studies.setups
        if key not in known:
            raise ParamsError(unknown("setup", key, known))
        sizes = self.datasets[dataset]
        return Setup(
            name=key,
            dataset=dataset,
            model=model,
            scale=self.scale,
            hyperparameters=getattr(self.models[model], sizes.kind),
            schedule=self.scales[self.scale].training[dataset],
            seeds=self.seeds,
            engine=self.engine,
            **{name: getattr(sizes, name) for name in DatasetParams.model_fields},
        )

    def grid(self) -> tuple[Setup, dict[str, dict[str, float]]]:
        """The hyperparameter study: its setup, named <data set>-grid, and each setting's hyperparameters by its name.

        The settings are all pairs of the scale's gamma and delta, at the study's beta.
        """
        study, sizes = self.studies.grid, self.scales[self.scale].grid
        setup = self.setup(study.dataset, study.model).replace(beta=study.beta)
        setup = setup.model_copy(
            update={
                "name": f"{study.dataset}-grid",
                "schedule": sizes.training,
                "seeds": (study.seed,),
            }
        )
        settings = {
            f"gamma{gamma:g}-delta{delta:g}": {"gamma": gamma, "delta": delta}
            for gamma in sizes.gamma
            for delta in sizes.delta
        }
        return setup, settings

    def data_sizes(self, dataset: str) -> dict[str, int | None]:
        """How many examples of each split the data stage keeps at the chosen scale."""
        return self.scales[self.scale].data[dataset].model_dump()

    @property
    def evaluation(self) -> EvaluationSizes:
        """Sizes of the evaluation at the chosen scale."""
        return self.scales[self.scale].evaluation

    @property
    def classifier_schedule(self) -> ClassifierSchedule:
        """Schedule of the digit classifier at the chosen scale."""
        return self.scales[self.scale].classifier
