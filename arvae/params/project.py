"""params.yaml as a whole: do its sections fit together, and what follows from them for one training."""

import itertools
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, NamedTuple, Self, get_args

from pydantic import Field, model_validator

from arvae.datasets import catalogue
from arvae.params import schema
from arvae.params.faults import ParamsError, unknown
from arvae.params.setup import Setup, absolute, attributes_of, network_of

KINDS = get_args(schema.Kind)


class SetupName(NamedTuple):
    """What a setup is made of: a data set, a model, and the kind of data."""

    dataset: str
    model: str
    kind: schema.Kind


class Params(schema.Section):
    """The whole of params.yaml.

    `networks`, `setups`, and the `data` and `training` of a scale have entries for the two kinds of data, and
    for single data sets where these differ from their kind (see `entry`).
    """

    scale: schema.Scale
    seeds: schema.Seeds
    datasets: dict[schema.DatasetName, schema.DatasetParams]
    networks: dict[str, schema.Network]
    models: dict[schema.ModelName, schema.ModelByKind]
    models_of: Annotated[dict[str, schema.Names], Field(alias="setups")]
    classifier: schema.ClassifierParams
    studies: schema.Studies
    scales: dict[schema.Scale, schema.ScaleParams]
    engine: schema.Engine

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.scale not in self.scales:
            raise ValueError(unknown("scale", self.scale, self.scales))
        for name in set(self.datasets) & set(self.studies.datasets):
            raise ValueError(f"{name} is in both datasets and studies.datasets; remove one of them")
        self._check_entries("networks", self.networks)
        self._check_entries("setups", self.models_of)
        for name, source in self.sources.items():
            self._check_source(name, source)
            if attributes_of(name, source) is not None:
                network_of(name, source, self.networks)
        first = next(iter(self.scales.values()))
        for scale, sizes in self.scales.items():
            known = [*self.sources, *KINDS, *self.models, *self.setups, *self.study_setups]
            for name in sizes.seeds:
                if name not in known:
                    raise ValueError(unknown(f"scales.{scale}.seeds.{name}", name, known))
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
            raise ValueError(f"{name} is in both setups and studies.setups; remove one of them")
        known = self.setups | self.study_setups
        tuned = self.studies.tuning.weights if self.studies.tuning else ()
        grid = f"{self.studies.grid.dataset}-{self.studies.grid.model}"
        asked = {"grid": [grid], "tuning.weights": tuned, "directions": self.studies.directions}
        for where, names in asked.items():
            for name in names:
                if name not in known:
                    raise ValueError(unknown(f"studies.{where}", name, known))
        if len(self.directions) < len(self.studies.directions):
            raise ValueError("studies.directions: two setups of one data set; give one of them")
        for dataset, model, kind in map(known.get, self.studies.directions):
            if getattr(self.models[model], kind).gamma:
                raise ValueError(f"studies.directions: {dataset}-{model} has gamma; give a model without one")
        return self

    def _check_entries(self, where: str, section: Mapping[str, object]) -> None:
        for name in sorted(set(section) - {*self.sources, *KINDS}):
            raise ValueError(unknown(f"{where}.{name}", name, [*self.sources, *KINDS]))
        for kind in sorted(set(KINDS) - set(section)):
            raise ValueError(f"{where} has no entry for {kind}; add one, for every data set of that kind")

    def _check_source(self, name: str, source: schema.DatasetParams) -> None:
        if name in KINDS:
            raise ValueError(f"datasets.{name}: this is the name of a kind; give the data set another")
        if source.like is not None and source.like not in catalogue.data_sets():
            raise ValueError(unknown(f"datasets.{name}.like", source.like, catalogue.data_sets()))
        facts = catalogue.data_sets().get(source.like or name)
        if facts is None and source.folder is None:
            raise ValueError(f"datasets.{name}: no known data set: give a folder, or what it is `like`")
        if facts is not None and facts.kind != source.kind:
            raise ValueError(f"datasets.{name}.kind: {source.like or name} has kind {facts.kind}; give that")
        for attribute in source.own:
            if attribute not in (functions := catalogue.own_attributes()):
                raise ValueError(unknown(f"datasets.{name}.own", attribute, functions))
        known = attributes_of(name, source)
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

    def entry(self, section: Collection[str], dataset: str) -> str:
        """Which entry of a section holds for a data set: its own, else that of `like`, else its kind's."""
        source = self.sources[dataset]
        return next(name for name in (dataset, source.like, source.kind) if name in section)

    @property
    def sources(self) -> dict[str, schema.DatasetParams]:
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

    @property
    def directions(self) -> dict[str, SetupName]:
        """The setups, of either pipeline, whose codes are turned, by the name of the result."""
        known = self.setups | self.study_setups
        return {f"{known[name].dataset}-direction": known[name] for name in self.studies.directions}

    def _setups(self, models: Mapping[str, schema.Names]) -> dict[str, SetupName]:
        return {
            f"{dataset}-{model}": SetupName(dataset, model, self.sources[dataset].kind)
            for dataset, names in models.items()
            for model in names
        }

    def reports(self, name: str) -> Path:
        """The folder, from the project's root, of the results of a setup or of a data set's report."""
        aside = name in self.study_setups | self.directions | self.studies.datasets
        return Path("studies/reports" if aside else "reports")

    def setup(self, dataset: str, model: str) -> Setup:
        """The setup of a data set and a model at the chosen scale; ParamsError if there is none."""
        key, known = f"{dataset}-{model}", self.setups | self.study_setups
        if key not in known:
            raise ParamsError(unknown("setup", key, known))
        training, seeds = self.scales[self.scale].training, self.scales[self.scale].seeds
        kind, schedule = known[key].kind, training[self.entry(training, dataset)]
        loss = getattr(self.models[model], kind)
        try:
            network = network_of(dataset, self.sources[dataset], self.networks)
        except ValueError as error:
            raise ParamsError(f"params.yaml: {error}") from error
        return Setup(
            name=key,
            dataset=dataset,
            model=model,
            kind=kind,
            scale=self.scale,
            hyperparameters=loss.model_copy(update={"clip": loss.clip or schedule.clip}),
            schedule=schema.Schedule(**schedule.model_dump(exclude={"clip"})),
            seeds=seeds.get(key)
            or seeds.get(model)
            or seeds.get(self.entry({*seeds, kind}, dataset))
            or self.seeds,
            engine=self.engine,
            **network,
        )

    def grid(self) -> tuple[Setup, dict[str, dict[str, float]]]:
        """The study's setup, <data set>-grid, and all pairs of the scale's gamma and delta by name."""
        study, sizes = self.studies.grid, self.scales[self.scale].grid
        changed = {"name": f"{study.dataset}-grid", "schedule": sizes.training, "seeds": (study.seed,)}
        setup = self.setup(study.dataset, study.model).replace(beta=study.beta).model_copy(update=changed)
        pairs = itertools.product(sizes.gamma, sizes.delta)
        return setup, {f"gamma{g:g}-delta{d:g}": {"gamma": g, "delta": d} for g, d in pairs}

    def tuning(self) -> list[tuple[Setup, dict[str, dict[str, float]]]]:
        """Setups whose weights are tried, at a share of their epochs, with each setting, as in `grid`."""
        found, tuning = [], self.studies.tuning
        for name, weights in tuning.weights.items() if tuning else ():
            dataset, model, _ = (self.setups | self.study_setups)[name]
            setup = self.setup(dataset, model)
            schedule = setup.schedule.model_copy(update={"epochs": tuning.share * setup.schedule.epochs})
            changed = {"name": f"{name}-tuning", "schedule": schedule, "seeds": setup.seeds[:1]}
            settings = [dict(zip(weights, row, strict=True)) for row in itertools.product(*weights.values())]
            names = ("-".join(f"{key}{value:g}" for key, value in one.items()) for one in settings)
            found.append((setup.model_copy(update=changed), dict(zip(names, settings, strict=True))))
        return found

    def folder(self, dataset: str) -> Path | None:
        """The folder of a data set's own files; a relative one starts at the project's root."""
        return absolute(self.sources[dataset].folder)

    def data_sizes(self, dataset: str) -> dict[str, int | None]:
        """How many examples of each split the data stage keeps at the chosen scale."""
        data = self.scales[self.scale].data
        return data[self.entry(data, dataset)].model_dump()

    @property
    def evaluation(self) -> schema.EvaluationSizes:
        """Sizes of the evaluation at the chosen scale."""
        return self.scales[self.scale].evaluation

    @property
    def classifier_schedule(self) -> schema.ClassifierSchedule:
        """Schedule of the digit classifier at the chosen scale."""
        return self.scales[self.scale].classifier
