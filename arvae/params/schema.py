"""The sections of params.yaml: what each key means, its type and what values are allowed."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    NonNegativeInt,
    Tag,
    model_validator,
)

Kind = Literal["images", "music"]
# The modules of arvae/models with a loss, by name: read, not imported, which would take a second for torch.
_MODELS = (Path(__file__).parents[1] / "models").glob("[a-z]*.py")
_OBJECTIVES = sorted(path.stem for path in _MODELS if "\ndef loss(" in path.read_text(encoding="utf-8"))
Objective = Literal[tuple(_OBJECTIVES)]
Scale = Literal["smoke", "laptop", "overnight", "paper"]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1)]


def _distinct(values: tuple) -> tuple:
    if len(set(values)) != len(values):
        raise ValueError("has a value twice: give each once")
    return values


Names = Annotated[tuple[str, ...], Field(min_length=1, strict=False)]
# In names of files, commands and stages; in <data set>-<model> the last hyphen parts the two.
ModelName = Annotated[str, Field(pattern=r"^\w+$")]
DatasetName = Annotated[str, Field(pattern=r"^\w[\w-]*$")]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Seeds = Annotated[tuple[Seed, ...], Field(min_length=1, strict=False), AfterValidator(_distinct)]
Bound = Annotated[float, Field(allow_inf_nan=False)] | None


class Section(BaseModel):
    """Base of all sections: frozen, strict about types, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ImageArchitecture(Section):
    """Sizes of an image VAE; `channels` is one number (dSprites) or one a layer (MNIST)."""

    channels: Count | Annotated[tuple[Count, Count, Count], Field(strict=False)]
    hidden: Count
    dropout: Share = 0.0


class MusicArchitecture(Section):
    """Sizes of MeasureVAE (the paper's Figure 5, after Pati et al. 2019)."""

    embedding: Count
    hidden: Count
    layers: Count
    dense: Count
    dropout: Share
    teacher_forcing: Annotated[float, Field(ge=0, le=1)]


def _which_architecture(value: Any) -> str:
    if isinstance(value, Section):
        return type(value).__name__
    return "ImageArchitecture" if isinstance(value, dict) and "channels" in value else "MusicArchitecture"


Architecture = Annotated[
    Annotated[ImageArchitecture, Tag("ImageArchitecture")]
    | Annotated[MusicArchitecture, Tag("MusicArchitecture")],
    Discriminator(_which_architecture),
]


class Network(Section):
    """How a data set is modelled: sizes, and which attribute is regularized along which latent dimension.

    In params.yaml an entry may leave fields out: those of its kind hold then. `attributes` left out: all that
    the data set has; `dimensions` left out: in their order, from 1 on for images (0 stays free, as in the
    paper), from 0 on for music.
    """

    latent_dim: Count | None = None
    batch_size: Annotated[int, Field(ge=2)] | None = None  # a batch of 1 has no pairs to regularize
    architecture: Architecture | None = None
    attributes: Names | None = None
    dimensions: Annotated[tuple[NonNegativeInt, ...], Field(min_length=1, strict=False)] | None = None


class Hyperparameters(Section):
    """The loss of one model on one kind of data (paper, section 3 and Table 1).

    gamma is the weight of what regularizes the attributes: L_AR (vae; semisupervised: of labelled examples),
    the likelihood of the slopes (glsr), the squared error of a regression (regression) or of the dimension
    itself (value), or the adversary that takes the attributes out of the code (fader). clip: the gradient of
    all weights is scaled down to this norm where it is longer; null: never.
    """

    objective: Objective
    learning_rate: Positive
    beta: NotNegative
    gamma: NotNegative
    delta: Positive
    capacity: NotNegative
    regularize: Literal["sample", "mean"]
    clip: Positive | None = None


class ModelByKind(Section):
    """A model's hyperparameters for images and for music; one may be missing where it has no such form."""

    images: Hyperparameters | None = None
    music: Hyperparameters | None = None


class DatasetParams(Section):
    """What a data set is and where it comes from (docs/your_own_data.md)."""

    kind: Kind
    source: str = "auto"
    folder: str | None = None  # your own files
    like: str | None = None  # the data set whose examples these are, prepared once more
    own: Annotated[tuple[str, ...], Field(strict=False)] = ()  # functions of datasets/own.py
    transform: Literal["power"] | None = None  # of all attributes (Yeo-Johnson)
    side: Literal[28, 64] | None = None  # own images are brought to this many pixels a side
    # A region, attribute -> [from, to] (null: no bound), whose examples training does not see.
    leave_out: dict[str, Annotated[tuple[Bound, Bound], Field(strict=False)]] = {}
    labelled: Annotated[float, Field(gt=0, lt=1)] | None = None  # share of training examples with attributes

    @model_validator(mode="after")
    def _region(self) -> Self:
        for name, (low, high) in self.leave_out.items():
            if (low is None and high is None) or (None not in (low, high) and low > high):
                raise ValueError(
                    f"leave_out.{name}: [{low}, {high}] holds no values or all: give [from, to], null for "
                    "one of them where there is no bound"
                )
        return self


class Sizes(Section):
    """How many examples of each split are kept (None: all); `tunes`: how many tunes are parsed (music)."""

    train: Count | None
    validation: Count | None
    test: Count | None
    tunes: Count | None = None


class Schedule(Section):
    """How long and at which learning rate a setup trains: `warmup` and `hold` are shares of all steps."""

    epochs: Positive
    schedule: Literal["constant", "one-cycle"]
    peak: Positive | None = None
    warmup: Annotated[float, Field(gt=0, lt=1)] | None = None
    hold: Share = 0.0

    @model_validator(mode="after")
    def _complete(self) -> Self:
        given = {self.peak is not None, self.warmup is not None}
        if given != {self.schedule == "one-cycle"}:
            raise ValueError("schedule: one-cycle needs both peak and warmup; constant takes neither")
        if self.hold and (self.warmup is None or self.warmup + self.hold >= 1):
            raise ValueError(
                f"hold: {self.hold} is the share of the steps at the peak of a one-cycle schedule, and must "
                f"leave some for its way down (warmup: {self.warmup})"
            )
        return self


class Training(Schedule):
    """A setup's schedule at a scale, and its `clip` there where its model has none (see Hyperparameters)."""

    clip: Positive | None = None


class ClassifierParams(Section):
    """The digit classifier."""

    batch_size: Annotated[int, Field(ge=2)]
    channels: Annotated[tuple[Count, Count], Field(strict=False)]
    hidden: Count
    dropout: Share
    seed: Seed


class ClassifierSchedule(Section):
    """How long the digit classifier trains, on a one-cycle schedule up to `peak`."""

    epochs: Positive
    peak: Positive


class EvaluationSizes(Section):
    """How closely a setup is looked at: test codes, items traversed, points along a traversal."""

    codes: Annotated[int, Field(ge=50)]
    traversal_items: Count
    traversal_points: Annotated[int, Field(ge=3)]


Values = Annotated[tuple[Positive, ...], Field(min_length=1, strict=False), AfterValidator(_distinct)]


class GridSizes(Section):
    """How finely the hyperparameter study looks, and how long each of its settings trains."""

    gamma: Values
    delta: Values
    training: Schedule


class ScaleParams(Section):
    """All that a scale changes; never architecture or loss. seeds: of kinds, data sets, models or setups."""

    data: dict[str, Sizes]
    training: dict[str, Training]
    seeds: dict[str, Seeds] = {}
    classifier: ClassifierSchedule
    evaluation: EvaluationSizes
    grid: GridSizes


class Engine(Section):
    """How runs are run; except for device, precision, threads, fast and graphs nothing here changes a result.

    fast: with the fast twins of arvae/fast. graphs: on a GPU, training steps are CUDA graphs.
    """

    executor: Literal["processes", "serial", "dask"]
    workers: Count | None
    threads: Count
    device: Literal["auto", "cpu", "cuda"]
    precision: Literal["auto", "bfloat16", "float32"]
    checkpoint_seconds: Annotated[float, Field(gt=0, le=60, allow_inf_nan=False)]
    timeout_minutes: Positive | None = None
    address: str | None = None
    graphs: bool = False
    fast: bool = True


class Grid(Section):
    """The hyperparameter study: which setup's gamma and delta are varied, at which beta, from which seed."""

    dataset: str
    model: str
    beta: NotNegative
    seed: Seed


class Tuning(Section):
    """Weights of losses that are tried: of each setup the values of one hyperparameter or more, all pairs.

    share: of the setup's epochs, for which each is trained.
    """

    share: Annotated[float, Field(gt=0, le=1)]
    weights: dict[str, Annotated[dict[Literal["beta", "gamma", "delta"], Values], Field(min_length=1)]]


class Studies(Section):
    """What goes further than the main comparison: the pipeline of studies/dvc.yaml."""

    datasets: dict[DatasetName, DatasetParams]
    setups: dict[str, Names]
    grid: Grid
    directions: Annotated[tuple[str, ...], Field(strict=False)] = ()
    tuning: Tuning | None = None
