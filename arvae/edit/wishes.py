"""What a person asks for, as written on the command line, and in which measures.

rhythmic_complexity=+1.5      turn the control by 1.5 standard deviations of its dimension
note_density=0.5              find the place of the control where the measured attribute is 0.5
contour==-0.3                 the same for a negative value (one "=" and a sign would be a turn)
3-6:pitch_range=-1            only in measures 3 to 6; also 2: or 1,3,5-7:
"""

import dataclasses
import math
import re
from collections.abc import Iterable, Sequence

import numpy as np

from arvae.edit.faults import EditError
from arvae.trained import TrainedModel

FURTHEST = 10.0  # standard deviations a control may be turned: codes of the data lie within about 3
_WISH = re.compile(r"(?:(?P<where>[\d,\s-]+):)?\s*(?P<name>[^=:]+?)\s*(?P<sign>==?)\s*(?P<value>[^=]+)")
_HOW = (
    "write NAME=+1.5 or NAME=-1.5 to turn the control by standard deviations, NAME=0.5 for a value of the "
    "attribute (NAME==-0.3 for a negative one), MEASURES:NAME=... for some measures"
)


@dataclasses.dataclass(frozen=True)
class Wish:
    """One wish: attribute by its full name; exactly one of `turn` (standard deviations) and `target` (a value
    in the attribute's unit); measures counted from 1, None: all that are edited."""

    attribute: str
    turn: float | None = None
    target: float | None = None
    measures: tuple[int, ...] | None = None

    def __str__(self) -> str:
        where = "" if self.measures is None else f" in {span(self.measures)}"
        what = f"{self.turn:+g} sd" if self.turn is not None else f"to {self.target:g}"
        return f"{self.attribute} {what}{where}"

    def concerns(self, count: int) -> np.ndarray:
        """Which of `count` measures it is about: bool (count,)."""
        numbers = np.arange(1, count + 1)
        return np.isin(numbers, numbers if self.measures is None else self.measures)


def parse(texts: Iterable[str], trained: TrainedModel, count: int | None = None) -> tuple[Wish, ...]:
    """Wishes as written, checked against the model's attributes and the number of measures (None: an image).

    Raises EditError for what is no wish, a value that cannot be, or two wishes for the same thing; ModelError
    for an unknown attribute.
    """
    wishes = tuple(_parse(text, trained, count) for text in texts)
    taken: dict[tuple[str, int], Wish] = {}
    for wish in wishes:
        for place in wish.measures or range(1, (count or 1) + 1):
            other = taken.setdefault((wish.attribute, place), wish)
            if other is not wish:
                found = f"two requests for the same attribute and measure ({other}; {wish})"
                raise EditError(f"{found}: keep one of them")
    return wishes


def _parse(text: str, trained: TrainedModel, count: int | None) -> Wish:
    found = _WISH.fullmatch(text.strip())
    if not found:
        raise EditError(f"{text!r} is not a valid request: {_HOW}")
    name = trained.control(found["name"]).attribute
    written = found["value"].replace("\N{MINUS SIGN}", "-").strip()
    try:
        value = float(written)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise EditError(f"{text!r}: {written!r} is not a number; {_HOW}")
    where = None
    if found["where"] is not None:
        if count is None:
            raise EditError(f"{text!r}: an image has no measures; write {name.replace(' ', '_')}={written}")
        where = places(found["where"], count)
    if found["sign"] == "=" and written[0] in "+-":
        if abs(value) > FURTHEST:
            found = (
                f"{text!r} turns the control by {value:+g} standard deviations; codes of the data lie within"
            )
            raise EditError(f"{found} about 3, and at most {FURTHEST:g} are allowed")
        return Wish(name, turn=value, measures=where)
    if not trained.measurable:
        found = f"{text!r} requests a value of {name}, but no function measures the attributes of "
        found += f"{trained.setup.dataset} on a decoded example: turn the control instead "
        raise EditError(f"{found}({name.replace(' ', '_')}=+1)")
    return Wish(name, target=value, measures=where)


def places(text: str, count: int) -> tuple[int, ...]:
    """Measures as people write them ("3-6", "1,3,5-7", "4-") -> numbers from 1, ascending. EditError beyond
    `count`."""
    chosen: set[int] = set()
    for part in text.replace(" ", "").split(","):
        found = re.fullmatch(r"(\d+)(-(\d*))?", part)
        if not found:
            raise EditError(f"measures {text!r}: write them like 3, 3-6, 4- or 1,3,5-7")
        first = int(found[1])
        last = first if found[2] is None else int(found[3] or count)
        if not 1 <= first <= last <= count:
            raise EditError(f"measures {text!r}: the melody has measures 1 to {count}")
        chosen.update(range(first, last + 1))
    return tuple(sorted(chosen))


def span(numbers: Sequence[int]) -> str:
    """(1, 3, 4, 5) -> "measures 1, 3-5"."""
    runs = np.split(np.array(numbers), np.flatnonzero(np.diff(numbers) != 1) + 1)
    text = ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)
    return f"measure{'s' if len(numbers) > 1 else ''} {text}"
