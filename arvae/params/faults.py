"""What is wrong with params.yaml, said so that a person can mend it: key, value, what is allowed."""

import difflib
import types
import typing
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ValidationError


class ParamsError(ValueError):
    """params.yaml cannot be used; the message names each key, its value and what is allowed."""


def checked(cls: type[BaseModel], raw: Any, where: str) -> Any:
    """`raw` as a `cls`; ParamsError with one line a fault when it does not fit."""
    try:
        return cls.model_validate(raw)
    except ValidationError as error:
        faults = dict.fromkeys(_fault(cls, fault) for fault in error.errors())
        raise ParamsError(f"{where} cannot be used:\n" + "\n".join(f"  - {f}" for f in faults)) from None


def unknown(where: str, value: str, allowed: Iterable[str]) -> str:
    """A line on a name that does not exist, with the nearest one that does."""
    allowed = list(allowed)
    near = difflib.get_close_matches(value, allowed, n=1)
    hint = f"; did you mean {near[0]}?" if near else "."
    return f"{where}: {value!r} is unknown{hint} Allowed: {', '.join(allowed)}"


def _fault(cls: type[BaseModel], fault: Any) -> str:
    key = ".".join(str(part) for part in fault["loc"] if not str(part).endswith("Architecture"))
    if fault["type"] == "extra_forbidden":
        *above, name = fault["loc"]
        return unknown(key, str(name), _keys_at(cls, above)) + f" (its value here: {fault['input']!r})"
    if fault["type"] == "missing":
        return f"{key} is missing; add it"
    message = fault["msg"].removeprefix("Value error, ").replace("a valid tuple", "a list, such as [0, 1]")
    shown = "" if isinstance(fault["input"], dict) else f" = {fault['input']!r}"
    return f"{key}{shown}: {message}" if key else message


def _keys_at(cls: type[BaseModel], path: Iterable[Any]) -> list[str]:
    """The keys allowed in the section that `path` leads to, read off the annotations."""
    here: Any = cls
    for part in path:
        choices = {choice.__name__: choice for choice in _models(here)}
        if part in choices:  # the tag of a union
            here = choices[part]
        elif typing.get_origin(here) is dict:
            here = typing.get_args(here)[1]
        else:
            (section,) = choices.values()
            here = section.model_fields[part].annotation
    (section,) = _models(here)
    return [field.alias or name for name, field in section.model_fields.items()]


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if typing.get_origin(annotation) in (typing.Union, types.UnionType, typing.Annotated):
        return [model for part in typing.get_args(annotation) for model in _models(part)]
    return []
