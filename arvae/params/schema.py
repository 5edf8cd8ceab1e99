"""The sections of params.yaml: what each key means, its type and what values are allowed."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from arvae.datasets import catalogue
from arvae.params.faults import ParamsError, checked, unknown

Kind = Literal["images", "music"]
Scale = Literal["smoke", "laptop", "paper"]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1)]


class Knobs(BaseModel):
    """Base of all sections: frozen, strict about types, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ImageArchitecture(Knobs):
    """Sizes of an image VAE; `channels` is one number (dSprites) or one a layer (MNIST)."""

    channels: Count | Annotated[tuple[Count, Count, Count], Field(strict=False)]
    hidden: Count
    dropout: Share = 0.0


class MusicArchitecture(Knobs):
    """Sizes of MeasureVAE (the paper's Figure 5, after Pati et al. 2019)."""

    embedding: Count
    hidden: Count
    layers: Count
    dense: Count
    dropout: Share
    teacher_forcing: Annotated[float, Field(ge=0, le=1)]


def _which_architecture(value: Any) -> str:
    if isinstance(value, Knobs):
        return type(value).__name__
    return "ImageArchitecture" if isinstance(value, dict) and "channels" in value else "MusicArchitecture"


Architecture = Annotated[
    Annotated[ImageArchitecture, Tag("ImageArchitecture")]
    | Annotated[MusicArchitecture, Tag("MusicArchitecture")],
    Discriminator(_which_architecture),
]


class DatasetKnobs(Knobs):
    """A data set as models see it: sizes, and which attribute is tied to which latent dimension."""

    kind: Kind
    latent_dim: Count
    batch_size: Annotated[int, Field(ge=2)]  # a batch of 1 has no pairs to regularize
    attributes: Annotated[tuple[str, ...], Field(min_length=1, strict=False)]
    dimensions: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1, strict=False)]
    architecture: Architecture

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        expected = ImageArchitecture if self.kind == "images" else MusicArchitecture
        if not isinstance(self.architecture, expected):
            raise ValueError(f"architecture does not fit kind: {self.kind}")
        for what, values in (("attributes", self.attributes), ("dimensions", self.dimensions)):
            twice = sorted({str(value) for value in values if values.count(value) > 1})
            if twice:
                raise ValueError(f"{what} names {', '.join(twice)} more than once; each may stand once")
        if len(self.attributes) != len(self.dimensions):
            raise ValueError(
                f"{len(self.attributes)} attributes but {len(self.dimensions)} dimensions; "
                "give one dimension for each attribute"
            )
        beyond = [dimension for dimension in self.dimensions if dimension >= self.latent_dim]
        if beyond:
            raise ValueError(f"dimensions {beyond} are not below latent_dim = {self.latent_dim}")
        return self


class ModelKnobs(Knobs):
    """The loss of one model on one kind of data (paper, section 3 and Table 1)."""

    objective: Literal["vae"]
    learning_rate: Positive
    beta: NotNegative
    gamma: NotNegative
    delta: Positive
    capacity: NotNegative
    regularize: Literal["sample", "mean"]


class ModelByKind(Knobs):
    """A model's knobs for images and for music; one may be missing where the model has no such form."""

    images: ModelKnobs | None = None
    music: ModelKnobs | None = None


class CellName(Knobs):
    """One entry of `cells`: a data set and a model; `kind` repeats the data set's for dvc.yaml."""

    dataset: str
    model: str
    kind: Kind


class Source(Knobs):
    """Where a data set comes from."""

    source: str
    folder: str | None = None  # your own files
    side: Literal[28, 64] | None = None  # own images are brought to this many pixels a side


class Sizes(Knobs):
    """How many examples of each split are kept (None: all); `tunes`: how many tunes are parsed (music)."""

    train: Count | None
    validation: Count | None
    test: Count | None
    tunes: Count | None = None


class Schedule(Knobs):
    """How long and at which learning rate a cell trains."""

    epochs: Positive
    schedule: Literal["constant", "one-cycle"]
    peak: Positive | None = None
    warmup: Annotated[float, Field(gt=0, lt=1)] | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        given = {self.peak is not None, self.warmup is not None}
        if given != {self.schedule == "one-cycle"}:
            raise ValueError(
                "schedule: one-cycle needs both peak and warmup; schedule: constant takes neither"
            )
        return self


class ClassifierKnobs(Knobs):
    """The digit classifier."""

    batch_size: Annotated[int, Field(ge=2)]
    channels: Annotated[tuple[Count, Count], Field(strict=False)]
    hidden: Count
    dropout: Share
    seed: Annotated[int, Field(ge=0)]


class ClassifierSchedule(Knobs):
    """How long the digit classifier trains, on a one-cycle schedule up to `peak`."""

    epochs: Positive
    peak: Positive


class EvaluationSizes(Knobs):
    """How closely a cell is looked at: test codes, items traversed, points along a traversal."""

    codes: Annotated[int, Field(ge=50)]
    traversal_items: Count
    traversal_points: Annotated[int, Field(ge=3)]


class ScaleKnobs(Knobs):
    """Everything a scale may change: sizes, lengths and schedules; never architecture or loss."""

    data: dict[str, Sizes]
    training: dict[str, Schedule]
    classifier: ClassifierSchedule
    evaluation: EvaluationSizes


class Engine(Knobs):
    """How members are run; except for device, precision and threads nothing here changes a result."""

    executor: Literal["processes", "serial", "dask"]
    workers: Count | None
    threads: Count
    device: Literal["auto", "cpu", "cuda"]
    precision: Literal["auto", "bfloat16", "float32"]
    checkpoint_seconds: Positive
    timeout_minutes: Positive | None = None
    address: str | None = None


class Cell(Knobs):
    """One training cell, data set x model, with all that decides its weights but the seed.

    A member of the cell is a seed and, in a study, other values for some of the loss's knobs:
    `cell.replace(gamma=1.0)`.
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
    knobs: ModelKnobs
    schedule: Schedule
    seeds: tuple[int, ...]
    engine: Engine

    def replace(self, **knobs: float | str) -> "Cell":
        """The same cell with other values for some of its loss's knobs, checked like params.yaml."""
        changed = checked(ModelKnobs, self.knobs.model_dump() | knobs, f"cell {self.name}")
        return self.model_copy(update={"knobs": changed})


class Params(Knobs):
    """The whole of params.yaml."""

    scale: Scale
    seeds: Annotated[tuple[Annotated[int, Field(ge=0, lt=2**31)], ...], Field(min_length=1, strict=False)]
    datasets: dict[str, DatasetKnobs]
    data: dict[str, Source]
    models: dict[str, ModelByKind]
    cells: dict[str, CellName]
    classifier: ClassifierKnobs
    scales: dict[Scale, ScaleKnobs]
    engine: Engine

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"seeds: {list(self.seeds)} has a seed twice; each run needs its own")
        for key, cell in self.cells.items():
            if cell.dataset not in self.datasets:
                raise ValueError(unknown(f"cells.{key}.dataset", cell.dataset, self.datasets))
            if cell.model not in self.models:
                raise ValueError(unknown(f"cells.{key}.model", cell.model, self.models))
            if key != f"{cell.dataset}-{cell.model}":
                raise ValueError(f"cells.{key}: its name must be {cell.dataset}-{cell.model}")
            if cell.kind != self.datasets[cell.dataset].kind:
                raise ValueError(
                    f"cells.{key}.kind: {cell.kind}, but {cell.dataset} is {self.datasets[cell.dataset].kind}"
                )
            if getattr(self.models[cell.model], cell.kind) is None:
                raise ValueError(f"cells.{key}: models.{cell.model} has no section {cell.kind}")
        for name, names in catalogue.ATTRIBUTES.items():
            wanted = self.datasets[name].attributes if name in self.datasets else ()
            for attribute in set(wanted) - set(names):
                raise ValueError(unknown(f"datasets.{name}.attributes", attribute, names))
            source = self.data[name].source if name in self.data else "auto"
            if source not in (allowed := ("auto", *catalogue.SOURCES[name])):
                raise ValueError(unknown(f"data.{name}.source", source, allowed))
        sections = [("data", self.data)]
        if self.scale not in self.scales:
            raise ValueError(unknown("scale", self.scale, self.scales))
        for name, scale in self.scales.items():
            sections += [(f"scales.{name}.data", scale.data), (f"scales.{name}.training", scale.training)]
        for where, section in sections:
            for name in set(section) ^ set(self.datasets):
                if name in section:
                    raise ValueError(unknown(f"{where}.{name}", name, self.datasets))
                raise ValueError(f"{where} has no entry for the data set {name}; add one")
        return self

    def cell(self, dataset: str, model: str) -> Cell:
        """The cell of a data set and a model at the chosen scale; KeyError-like message if there is none."""
        key = f"{dataset}-{model}"
        if key not in self.cells:
            raise ParamsError(unknown("cell", key, self.cells))
        sizes = self.datasets[dataset]
        return Cell(
            name=key,
            dataset=dataset,
            model=model,
            scale=self.scale,
            knobs=getattr(self.models[model], sizes.kind),
            schedule=self.scales[self.scale].training[dataset],
            seeds=self.seeds,
            engine=self.engine,
            **{name: getattr(sizes, name) for name in DatasetKnobs.model_fields},
        )

    def data_sizes(self, dataset: str) -> dict[str, int | None]:
        """How many examples of each split the data stage keeps at the chosen scale."""
        return self.scales[self.scale].data[dataset].model_dump()

    def data_source(self, dataset: str) -> str:
        """The source the data stage is to use: "auto" or one by name."""
        return self.data[dataset].source

    @property
    def evaluation(self) -> EvaluationSizes:
        """Sizes of the evaluation at the chosen scale."""
        return self.scales[self.scale].evaluation

    @property
    def classifier_schedule(self) -> ClassifierSchedule:
        """Schedule of the digit classifier at the chosen scale."""
        return self.scales[self.scale].classifier
