"""All that decides one training, and what params.yaml says of the network of a data set."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from arvae import paths
from arvae.datasets import catalogue
from arvae.params import schema
from arvae.params.faults import ParamsError, checked, unknown


class Setup(schema.Section):
    """One training setup, data set x model, with all that decides its weights but the seed.

    A run of the setup is a seed and, in a study, other values for some of the loss's hyperparameters:
    `setup.replace(gamma=1.0)`.
    """

    name: str
    dataset: str
    model: str
    kind: schema.Kind
    scale: schema.Scale
    latent_dim: int
    batch_size: int
    attributes: tuple[str, ...]
    dimensions: tuple[int, ...]
    architecture: schema.Architecture
    hyperparameters: schema.Hyperparameters
    schedule: schema.Schedule
    seeds: tuple[int, ...]
    engine: schema.Engine

    def replace(self, **hyperparameters: float | str) -> Self:
        """The same setup with other values for some hyperparameters, checked like params.yaml."""
        values = self.hyperparameters.model_dump() | hyperparameters
        changed = checked(schema.Hyperparameters, values, f"setup {self.name}")
        return self.model_copy(update={"hyperparameters": changed})


def attributes_of(name: str, source: schema.DatasetParams) -> tuple[str, ...] | None:
    """All attributes of a data set; None for a folder of pictures, whose table has them."""
    return catalogue.attributes_of(name, source.own, source.like, source.kind)


def network_of(
    name: str, source: schema.DatasetParams, networks: Mapping[str, schema.Network]
) -> dict[str, Any]:
    """The fields of a data set's network: its own entry over that of `like`, over that of its kind."""
    where = f"networks.{name}"
    kind, like, own = (networks.get(key) for key in (source.kind, source.like, name))
    fields = {key: value for layer in (kind, like) for key, value in layer or () if value is not None}
    fields = {key: fields[key] for key in fields if key not in ("attributes", "dimensions")}
    fields |= {key: value for key, value in own or () if value is not None}
    for key in ("latent_dim", "batch_size", "architecture"):
        if key not in fields:
            raise ValueError(f"networks.{source.kind}.{key} is missing; add it")
    expected = schema.ImageArchitecture if source.kind == "images" else schema.MusicArchitecture
    if not isinstance(fields["architecture"], expected):
        raise ValueError(
            f"{where}.architecture {fields['architecture'].model_dump()} is not one of "
            f"{source.kind}: give {', '.join(expected.model_fields)}"
        )
    known = attributes_of(name, source)
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
            f"{where}: {len(attributes)} attributes but {len(dimensions)} dimensions; give one for each"
        )
    if beyond := [dimension for dimension in dimensions if dimension >= latent_dim]:
        raise ValueError(
            f"{where}: dimensions {beyond} are not below latent_dim = {latent_dim}: use 0 to "
            f"{latent_dim - 1}, or a larger latent_dim"
        )
    return fields


def _table(name: str, source: schema.DatasetParams) -> tuple[str, ...]:
    """The attributes of a folder of pictures, from its attributes.csv, and those added to them."""
    from arvae.datasets import custom  # only here: it takes a while to import

    try:
        _, names, *_ = custom.read_table(absolute(source.folder) / custom.TABLE)
    except ValueError as error:
        raise ParamsError(f"datasets.{name}: {error}") from error
    return (*names, *source.own)


def absolute(folder: str | None) -> Path | None:
    """A folder of params.yaml; a relative one starts at the project's root."""
    if folder is None:
        return None
    path = Path(folder).expanduser()
    return path if path.is_absolute() else paths.project() / path
