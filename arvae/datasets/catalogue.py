"""What data sets there are: their kinds, attributes and sources.

A data set is a module of this folder with `prepare` and with FACTS, a dictionary of plain values that is read
off the module's text: params.yaml is checked against it before anything heavy is imported.
"""

import ast
import dataclasses
import functools
from collections.abc import Collection, Mapping
from pathlib import Path

from arvae.datasets.added import kind, own_attributes

Sizes = Mapping[str, int | None]  # of splits (and "tunes"): examples at most; None: all
#: Attribute -> (unit, what it is) of every measure of music, those of a folder of your own melodies too.
MUSIC = {
    "rhythmic complexity": ("", "weight of the ticks that start a note, off-beat ticks weighing more"),
    "pitch range": ("", "from the lowest to the highest note, in units of 26 semitones"),
    "note density": ("", "share of the ticks that start a note"),
    "contour": ("", "from the first note to the last, in units of 26 semitones; positive rises"),
}


@dataclasses.dataclass(frozen=True)
class Facts:
    """What a module says of its data set in FACTS.

    kind: "images" or "music"; sources: their names, in the order in which "auto" tries them; about: Markdown;
    attributes: name -> (unit, empty for a pure number, and what it is), in the order of their columns; kinds:
    of those that are not continuous, in the words of `arvae.metrics.factors`.
    """

    kind: str
    sources: tuple[str, ...]
    about: str
    attributes: Mapping[str, tuple[str, str]] = dataclasses.field(default_factory=lambda: MUSIC)
    kinds: Mapping[str, str] = dataclasses.field(default_factory=dict)


@functools.cache
def data_sets() -> dict[str, Facts]:
    """The data sets of this folder, by name."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if "\nFACTS = {" in (text := path.read_text(encoding="utf-8")):
            values = [node.value for node in ast.parse(text).body if ast.unparse(node).startswith("FACTS = ")]
            found[path.stem] = Facts(**ast.literal_eval(values[0]))
    return found


def attributes_of(
    name: str, own: Collection[str] = (), like: str | None = None, kind: str = "images"
) -> tuple[str, ...] | None:
    """The attributes of the data set `name`, in the order of its columns; those `own` that own.py has, last.

    like: the data set that it is a copy of; kind: what is in a folder of your own. None for images of your
    own, whose table decides.
    """
    if (like or name) in data_sets():
        columns = data_sets()[like or name].attributes
    elif kind == "music":
        columns = MUSIC
    else:
        return None
    return (*columns, *(attribute for attribute in own if attribute in own_attributes()))


def kinds(names: tuple[str, ...]) -> list[str]:
    """What kind of number each attribute of a data set is, in the words of `arvae.metrics.factors`."""
    known = ((tuple(facts.attributes), facts.kinds) for facts in data_sets().values())
    declared = next((kinds for first, kinds in known if names[: len(first)] == first), {})
    return [declared.get(name) or kind(name) for name in names]


def sources_of(name: str, like: str | None = None) -> tuple[str, ...]:
    """The sources that may be named for the data set `name`, "auto" first."""
    facts = data_sets().get(like or name)
    return ("auto", *(("folder",) if facts is None else facts.sources))
