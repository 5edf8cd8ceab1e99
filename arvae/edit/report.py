"""What an edit did, in numbers and words: attribute before, wished and after, and what else changed."""

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from arvae.edit.search import SAME, Edited, direction, missed
from arvae.edit.wishes import span
from arvae.music import keys
from arvae.trained import Control, same

MISSED = 0.05  # of the range that holds 95 % of the data: a wished value further off counts as missed
WIDTH = 80  # columns of a terminal
LISTED = 60  # characters that the numbers of measures may take


def _plain(name: str) -> str:
    return name.replace("_", " ")


def table(edited: Edited) -> pd.DataFrame:
    """A row an edited example (measure), columns (attribute, stage): `given` (measured on the input),
    `rebuilt` (on the reconstruction from the untouched code), `wished`, `now`; last, what of it stayed."""
    rows = np.flatnonzero(edited.touched)
    columns: dict[tuple[str, str], Any] = {}
    for index, attribute in enumerate(edited.trained.attribute_names):
        name = _plain(attribute)
        columns[name, "given"] = edited.before[rows, index]
        columns[name, "rebuilt"] = edited.rebuilt[rows, index]
        wished = [_wished(edited, attribute, row) for row in rows]
        if any(wished):
            columns[name, "requested"] = wished
        columns[name, "now"] = edited.after[rows, index]
    original = edited.original[rows]
    columns["same as given", "rebuilt"] = same(original, edited.reconstruction[rows])
    columns["same as given", "now"] = same(original, edited.result[rows])
    frame = pd.DataFrame(columns, index=pd.Index(rows + 1, name="measure" if edited.music else "image"))
    if not edited.wishes:  # nothing was edited; unstack() fails on levels that no column uses
        frame = frame.drop(columns="now", level=1)
        frame.columns = frame.columns.remove_unused_levels()
    return frame


def _wished(edited: Edited, attribute: str, row: int) -> str:
    for wish, concerned in zip(edited.wishes, edited.concerned, strict=True):
        if wish.attribute == attribute and concerned[row]:
            return f"{wish.turn:+g} sd" if wish.turn is not None else f"{wish.target:g}"
    return ""


def text(edited: Edited) -> str:
    """What turns each wished attribute, the table of those (of all, without a wish), and what there is to say
    about it: lines for a terminal of 80 columns."""
    wished = list(dict.fromkeys(wish.attribute for wish in edited.wishes))
    frame = table(edited).map(lambda value: value if isinstance(value, str) else _number(value))
    if edited.music:
        keep = [*map(_plain, wished or edited.trained.attribute_names), "same as given"]
        frame = frame.loc[:, [name in keep for name, _ in frame.columns]]
        frame = frame.rename_axis(index=None, columns=["", "measure"])
    else:  # one row: its attributes stand below each other
        stages = dict.fromkeys(stage for _, stage in frame.columns)
        frame = frame.iloc[0].unstack(sort=False)[list(stages)].fillna("")
    lines = [control_line(edited.trained.control(name)) for name in wished]
    return "\n".join([*filled(lines), "", *_side_by_side(frame), "", *filled(findings(edited))]).strip("\n")


def variations(results: Sequence[Edited]) -> str:
    """A row a variation: the mean of each attribute over what was edited, and what stayed as given."""
    rows = {"as given": [*_mean(results[0].before[results[0].touched]), 1.0]}
    for number, edited in enumerate(results, 1):
        stayed = same(edited.original, edited.result)[edited.touched].mean()
        rows[f"variation {number}"] = [*_mean(edited.after[edited.touched]), stayed]
    columns = [*map(_plain, results[0].trained.attribute_names), "same as given"]
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=columns).map(_number)
    return "\n".join(["", *_side_by_side(frame), ""])


def filled(lines: Sequence[str]) -> list[str]:
    """Lines broken to fit a terminal."""
    return [textwrap.fill(line, WIDTH, subsequent_indent="  ", break_on_hyphens=False) for line in lines]


def _number(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "-"


def _side_by_side(frame: pd.DataFrame) -> list[str]:
    """A table's groups of columns next to each other, as many as fit into a line of a terminal."""
    groups = list(dict.fromkeys(frame.columns.get_level_values(0)))
    fits = len(groups) if frame.columns.nlevels == 1 else 1
    while fits < len(groups) and len(frame[groups[: fits + 1]].to_string().partition("\n")[0]) <= WIDTH:
        fits += 1
    lines = [line.rstrip() for line in frame[groups[:fits]].to_string().splitlines()]
    return [*lines, "", *_side_by_side(frame[groups[fits:]])] if groups[fits:] else lines


def control_line(control: Control) -> str:
    """What turns an attribute, and how well, in a sentence."""
    free = "not regularized: the one with the largest mutual information"
    how = "regularized in training" if control.regularized else free
    down = "" if control.sign > 0 else ", sign reversed"
    return (
        f"{_plain(control.attribute)} is controlled by dimension {control.dimension} ({how}{down}): rank "
        f"correlation {control.correlation:+.2f}, data codes from {control.low:.2f} to "
        f"{control.high:.2f}, sd {control.sd:.2f}"
    )


def findings(edited: Edited) -> list[str]:
    """Sentences: how faithful the reconstruction is, how far each wish came true, what else changed."""
    rows, trained = np.flatnonzero(edited.touched), edited.trained
    shares = same(edited.original[rows], edited.reconstruction[rows])
    unit = "symbols" if edited.music else "pixels"
    lines = [f"Reconstruction without edits: {shares.mean():.1%} of the {unit} as given"]
    if edited.music:
        lines[0] += f", {(shares == 1).sum()} of {len(rows)} measures exactly"
    for number in range(len(edited.wishes)):
        lines += _outcome(edited, number)
    if edited.music and not (edited.result >= 0).any():
        lines.append("No notes remain: the result is silent")
    wished = {wish.attribute for wish in edited.wishes}
    changes = zip(trained.attribute_names, _mean(edited.after[rows] - edited.rebuilt[rows]), strict=True)
    moved = [f"{_plain(name)} {by:+.2f}" for name, by in changes if name not in wished and np.isfinite(by)]
    if wished and moved:
        lines.append(f"Other changes (mean, compared with the reconstruction): {', '.join(moved)}")
    outside = np.zeros(len(rows), bool)
    for control in map(trained.control, wished):
        codes = edited.z_after[rows, control.dimension]
        outside |= (codes < control.low - 1e-9) | (codes > control.high + 1e-9)
    if edited.free is not None:
        lines.append(_cost(edited))
    if outside.any():
        where = _where(edited, rows[outside])
        lines.append(f"Outside the range of the data's codes{where}: the decoder was not trained there")
    return lines


def _cost(edited: Edited) -> str:
    """What it costs to stay in the scale: notes, and attributes against the same wishes without it."""
    free, rows = edited.free, np.flatnonzero(edited.touched)
    now, before = (keys.outside(version.result[rows], edited.scale) for version in (edited, free))
    changes = zip(edited.trained.attribute_names, _mean((edited.after - free.after)[rows]), strict=True)
    moved = ", ".join(f"{_plain(name)} {by:+.3f}" for name, by in changes)
    found = f"In key: {now[0]} of {now[1]} notes outside the scale; unrestricted, {before[0]} of {before[1]}"
    return f"{found}. Effect on the attributes (means): {moved}"


def _mean(values: np.ndarray) -> np.ndarray:
    """The mean over rows (n, k) without what could not be measured: (k,), NaN where nothing could."""
    return pd.DataFrame(values).mean().to_numpy()


def _where(edited: Edited, rows: np.ndarray) -> str:
    """ " in measures 3-5, 7"; of many the first."""
    return f" in {textwrap.shorten(span(rows + 1), LISTED, placeholder=' ...')}" if edited.music else ""


def _outcome(edited: Edited, number: int) -> list[str]:
    """What became of a wish: its mean before and after, and the measures in which it did not come true."""
    trained, wish, rows = edited.trained, edited.wishes[number], np.flatnonzero(edited.concerned[number])
    if not len(rows):
        return [f"{wish}: no measure is left to edit"]
    index, control = trained.attribute_names.index(wish.attribute), trained.control(wish.attribute)
    given, now = (_number(_mean(values[rows])[index]) for values in (edited.before, edited.after))
    line = f"{wish}: {given} as given, {now} now{' (means)' if len(rows) > 1 else ''}"
    if not np.isfinite(edited.after[rows, index]).any():
        return [f"{line}: cannot be measured there"]
    if wish.turn is not None:
        return _turned(edited, number, line)
    miss = missed(trained, wish, edited.before[rows], edited.after[rows])
    far = rows[miss > MISSED * (control.most - control.least)]
    if not len(far):
        return [f"{line}: reached"]
    by = miss[np.isfinite(miss)].max()
    line += f": missed{_where(edited, far)} by up to {by:.2f}, closest reachable value"
    if not control.least <= wish.target <= control.most:
        line += f" (95 % of the data have {control.least:.2f} to {control.most:.2f})"
    return [line]


def _turned(edited: Edited, number: int, line: str) -> list[str]:
    """In which measures a turn moved the attribute as asked, and how."""
    wish, rows = edited.wishes[number], np.flatnonzero(edited.concerned[number])
    if not wish.turn:
        return [line]
    asked, other, verb = ("up", "down", "raise") if wish.turn > 0 else ("down", "up", "lower")
    moved = direction(edited.trained, wish, edited.before[rows], edited.after[rows])
    did = moved > SAME
    parts = [f"{asked} in {did.sum()} of {len(rows)} measures"] if edited.music else []
    if did.any() and not edited.music:
        parts.append(asked)
    for word, here in (("unchanged", np.abs(moved) <= SAME), (other, moved < -SAME)):
        if here.any():
            parts.append(f"{word}{_where(edited, rows[here])}")
    lines = [f"{line}; {', '.join(parts)}"]
    searched = did & edited.searched[number][rows]
    if searched.any():
        where = _where(edited, rows[searched])
        lines.append(f"  The turn alone did not {verb} it{where}: used the nearest setting that does")
    if edited.search and not did.all():
        beside = " given the other requests" if len(edited.wishes) > 1 else ""
        where = _where(edited, rows[~did])
        lines.append(f"  No setting in the data's range {verb}s it{where}{beside}: closest reachable value")
    return lines


def as_json(edited: Edited) -> dict[str, Any]:
    """All numbers of an edit, as JSON values (None where something could not be measured)."""
    arrays = {"given": edited.before, "rebuilt": edited.rebuilt, "now": edited.after}
    arrays |= {"codes": edited.z, "codes now": edited.z_after}
    versions = {"rebuilt": edited.reconstruction, "now": edited.result}
    return {
        "setup": edited.trained.setup.name,
        "run": edited.trained.run,
        "attributes": list(edited.trained.attribute_names),
        "wishes": [str(wish) for wish in edited.wishes],
        "edited": (np.flatnonzero(edited.touched) + 1).tolist(),
        "searched": [(np.flatnonzero(rows) + 1).tolist() for rows in edited.searched],
        "scale": None if edited.scale is None else sorted(map(int, edited.scale)),
        **{name: np.where(np.isfinite(a), a.astype(object), None).tolist() for name, a in arrays.items()},
        **{f"same as given, {stage}": same(edited.original, x).tolist() for stage, x in versions.items()},
    }
