"""What an edit did, in numbers and words: attribute before, wished and after, and what else changed."""

from typing import Any

import numpy as np
import pandas as pd

from arvae.edit.search import Edited, missed
from arvae.report.figures.style import plain
from arvae.trained import Control, TrainedModel

MISSED = (
    0.05  # of the range of the attribute that holds 95 % of the data: a wish further off is said to be missed
)


def table(edited: Edited) -> pd.DataFrame:
    """A row an edited example (measure), columns (attribute, stage): `given` (measured on the input),
    `rebuilt` (on the reconstruction from the untouched code), `wished`, `now`; last, what of it stayed."""
    rows = np.flatnonzero(edited.touched)
    columns: dict[tuple[str, str], Any] = {}
    for index, control in enumerate(edited.trained.controls):
        name = plain(control.attribute)
        columns[name, "given"] = edited.before[rows, index]
        columns[name, "rebuilt"] = edited.rebuilt[rows, index]
        wished = [_wished(edited, control, row) for row in rows]
        if any(wished):
            columns[name, "wished"] = wished
        if edited.wishes:
            columns[name, "now"] = edited.after[rows, index]
    for title, (before, after) in _pairs(edited).items():
        columns["same as given", title] = [same(before[row], after[row]) for row in rows]
    frame = pd.DataFrame(columns, index=pd.Index(rows + 1, name="measure" if _music(edited) else "image"))
    frame.columns = pd.MultiIndex.from_tuples(columns)
    return frame


def _music(edited: Edited) -> bool:
    return edited.trained.setup.kind == "music"


def _pairs(edited: Edited) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    pairs = {"rebuilt": (edited.original, edited.reconstruction)}
    return pairs | ({"now": (edited.original, edited.result)} if edited.wishes else {})


def same(before: np.ndarray, after: np.ndarray) -> float:
    """Share of symbols, or of pixels on the same side of one half, that are the same."""
    if before.ndim == 2:
        return float(((before >= 128) == (after >= 128)).mean())
    return float((before == after).mean())


def _wished(edited: Edited, control: Control, row: int) -> str:
    for wish in edited.wishes:
        if wish.attribute == control.attribute and (wish.measures is None or row + 1 in wish.measures):
            return f"{wish.turn:+g} sd" if wish.turn is not None else f"{wish.target:g}"
    return ""


def text(edited: Edited) -> str:
    """The table and what there is to say about it, for a terminal."""
    trained = edited.trained
    lines = [
        knob_line(trained.control(name)) for name in dict.fromkeys(wish.attribute for wish in edited.wishes)
    ]
    frame = table(edited)
    if not _music(edited):  # one row: its attributes stand below each other
        tall = frame.iloc[0].unstack(sort=False)
        tall = tall[[stage for stage in ("given", "rebuilt", "wished", "now") if stage in tall]]
        tall = tall.astype(object).where(tall.notna(), "").map(_setup)
        return "\n".join([*lines, "", tall.to_string(), "", *findings(edited)]).strip("\n")
    blocks = []
    for name in dict.fromkeys(a for a, _ in frame.columns):
        part = frame[name].map(_setup)
        part.columns = [f"{stage:>8}" for stage in part.columns]
        blocks.append((name, part.to_string(index=False).splitlines()))
    lines += ["", *_side_by_side(frame.index, blocks), "", *findings(edited)]
    return "\n".join(lines).strip("\n")


def _setup(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else _number(value)


def _number(value: float) -> str:
    return "-" if not np.isfinite(value) else f"{value:.2f}"


def _side_by_side(index: pd.Index, blocks: list[tuple[str, list[str]]]) -> list[str]:
    """Tables next to each other under their names, as many as fit into a line of a terminal."""
    first = [str(index.name), *map(str, index)]
    lines, here = [], []

    def flush() -> None:
        width = max(map(len, first))
        heads = [max(len(name), *map(len, rows)) for name, rows in here]
        lines.append(
            " ".join(
                [" " * width, *(f" {name:^{w}}" for (name, _), w in zip(here, heads, strict=True))]
            ).rstrip()
        )
        for place, label in enumerate(first):
            setups = [f" {rows[place]:>{w}}" for (_, rows), w in zip(here, heads, strict=True)]
            lines.append(" ".join([f"{label:>{width}}", *setups]).rstrip())
        lines.append("")

    for block in blocks:
        used = sum(max(len(name), *map(len, rows)) + 2 for name, rows in [*here, block])
        if here and used > 96:
            flush()
            here = []
        here.append(block)
    flush()
    return lines[:-1]


def knob_line(control: Control) -> str:
    """What turns an attribute, and how well, in a sentence."""
    how = (
        "tied to it in training"
        if control.regularized
        else "not tied to it in training, only the most correlated one"
    )
    down = "" if control.sign > 0 else ", turned the other way round"
    return (
        f"{plain(control.attribute)} is turned by dimension {control.dimension} ({how}{down}): rank correlation "
        f"{control.correlation:+.2f}, codes of the data from {control.low:.2f} to {control.high:.2f}, sd {control.sd:.2f}"
    )


def findings(edited: Edited) -> list[str]:
    """Sentences: how faithful the reconstruction is, how far each wish came true, what else changed."""
    rows, trained = np.flatnonzero(edited.touched), edited.trained
    unit = "symbols" if _music(edited) else "pixels"
    share = np.mean([same(edited.original[row], edited.reconstruction[row]) for row in rows])
    exact = sum(bool((edited.original[row] == edited.reconstruction[row]).all()) for row in rows)
    lines = [f"Reconstruction, controls untouched: {share:.1%} of the {unit} as given"]
    if _music(edited):
        lines[0] += f", {exact} of {len(rows)} measures exactly"
    for wish in edited.wishes:
        lines.append(_outcome(edited, trained.control(wish.attribute), wish))
    if edited.wishes and np.isfinite(edited.after[rows]).any():
        wished = {wish.attribute for wish in edited.wishes}
        moved = [
            f"{plain(name)} {change:+.2f}"
            for name, change in zip(
                trained.attribute_names, _mean(edited.after[rows] - edited.rebuilt[rows]), strict=True
            )
            if name not in wished and np.isfinite(change)
        ]
        if moved:
            lines.append(
                "What else changed with the controls (mean, against the reconstruction): " + ", ".join(moved)
            )
    outside = [
        row + 1
        for row in rows
        if any(not k.low - 1e-9 <= edited.z_after[row, k.dimension] <= k.high + 1e-9 for k in _turned(edited))
    ]
    if outside:
        where = ", ".join(map(str, outside))
        lines.append(
            f"Beyond what codes of the data span ({'measure' if _music(edited) else 'image'} {where}): "
            "the decoder was not trained there"
        )
    return lines


def _turned(edited: Edited) -> list[Control]:
    return [edited.trained.control(wish.attribute) for wish in edited.wishes]


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean over rows (n, k) without what could not be measured: (k,), NaN where nothing could."""
    seen = np.isfinite(values)
    return np.where(
        seen.any(axis=0), np.where(seen, values, 0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1), np.nan
    )


def _outcome(edited: Edited, control: Control, wish: Any) -> str:
    index = edited.trained.attribute_names.index(control.attribute)
    rows = np.flatnonzero(edited.touched)
    rows = rows if wish.measures is None else rows[np.isin(rows + 1, wish.measures)]
    if not len(rows):
        return f"{wish}: nothing to edit there"
    given, now = (_mean(values[rows])[index] for values in (edited.before, edited.after))
    line = f"{wish}: {plain(control.attribute)} {_number(given)} as given, {_number(now)} now"
    if len(rows) > 1:
        line += " (means)"
    if wish.target is None:
        return line
    miss = missed(edited.trained, edited.after[rows], control, wish.target)
    far = int((miss > MISSED * (control.most - control.least)).sum())
    if not far:
        return f"{line}: reached"
    worst = (
        f"by {np.max(miss[np.isfinite(miss)]):.2f}" if np.isfinite(miss).any() else "and cannot be measured"
    )
    where = f" in {far} of {len(rows)} measures, at most" if _music(edited) else ""
    line += f": missed{where} {worst}; nearer the control does not come"
    if not control.least <= wish.target <= control.most:
        line += f" (95 % of the data have {control.least:.2f} to {control.most:.2f})"
    return line


def as_json(edited: Edited) -> dict[str, Any]:
    """All numbers of an edit, as JSON values (None where something could not be measured)."""

    def plain_values(values: np.ndarray) -> list[Any]:
        return [[float(v) if np.isfinite(v) else None for v in row] for row in values]

    return {
        "setup": edited.trained.setup.name,
        "run": edited.trained.run,
        "attributes": list(edited.trained.attribute_names),
        "wishes": [str(wish) for wish in edited.wishes],
        "edited": (np.flatnonzero(edited.touched) + 1).tolist(),
        "given": plain_values(edited.before),
        "rebuilt": plain_values(edited.rebuilt),
        "now": plain_values(edited.after),
        "same as given, rebuilt": [
            same(a, b) for a, b in zip(edited.original, edited.reconstruction, strict=True)
        ],
        "same as given, now": [same(a, b) for a, b in zip(edited.original, edited.result, strict=True)],
        "codes": plain_values(edited.z),
        "codes now": plain_values(edited.z_after),
    }


def knob_table(trained: TrainedModel) -> pd.DataFrame:
    """A row an attribute: its dimension, how it was found, how well the attribute follows it, the range of
    codes."""
    rows = [
        {
            "dimension": control.dimension,
            "tied in training": "yes" if control.regularized else "no",
            "rank correlation": f"{control.correlation:+.2f}",
            "from": f"{control.low:+.2f}",
            "to": f"{control.high:+.2f}",
            "standard deviation": f"{control.sd:.2f}",
        }
        for control in trained.controls
    ]
    return pd.DataFrame(
        rows, index=pd.Index([plain(name) for name in trained.attribute_names], name="attribute")
    )
