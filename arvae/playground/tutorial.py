"""For the tutorial: a real tune that the model was not trained on, and what its edits are worth to a
musician."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from arvae.datasets import folk
from arvae.datasets.contract import Dataset
from arvae.edit import EditError, Melody, TrainedModel, Wish, edit, read_melody
from arvae.files import atomic_write
from arvae.metrics import spearman_matrix
from arvae.music import files as scores
from arvae.playground import items
from arvae.report.figures.style import plain
from arvae.trained import examples

COLLECTIONS = ("O'Neill's Music of Ireland", "Ryan's Mammoth Collection", "Aird's Airs")
CANDIDATES = 40  # tunes looked at


def choose(
    trained: TrainedModel, data: Dataset, folder: Path, title: str = "", least: int = 8
) -> tuple[str, Path]:
    """Write a tune of the test split to `folder` as ABC, as it stands in its collection: (its full name, the
    file).

    title: part of its title, in any case; "": of the tunes with at least `least` measures the one that the
    model gives back best. Where the collections of music21 are not the data's source, the opening of one as
    MusicXML. Raises EditError where no test tune has that title.
    """
    names = [data.provenance["tunes"][tune] for tune in np.unique(data.test.extra["tune"])]
    names = [name for name in names if title.lower() in name.lower()]
    if not names:
        raise EditError(
            f"no tune of the test split has {title!r} in its title: see the data report for the tunes"
        )
    bundled = {f"{tune.collection} {tune.number}: {tune.title}": tune for tune in folk.bundled()}
    known = [name for name in names if name in bundled]
    preferred = [name for name in known if name.startswith(COLLECTIONS)]
    found = []
    for name in (preferred or known)[:CANDIDATES]:
        path = folder / f"{slug(name)}.abc"
        with atomic_write(path) as temporary:
            temporary.write_bytes(bundled[name].content)
        try:
            melody = read_melody(path, trained.vocabulary, transpose=True)
        except EditError:
            path.unlink()
            continue
        z = trained.encode(melody.measures)[0]
        right = float((trained.decode(z) == melody.measures).mean())
        found.append((len(melody.measures) >= least, right, name, path))
    if not found:
        item = items.melodies(trained, data)[0]
        return item.name, scores.write(folder / f"{slug(item.name)}.musicxml", item.original, item.name)
    best = max(found)
    for *_, path in found:
        if path != best[-1]:
            path.unlink()
    return best[2], best[3]


def slug(text: str) -> str:
    """A title as a file name."""
    return re.sub(r"[^a-z0-9]+", "-", items.title(text).lower()).strip("-") or "tune"


def side_effects(trained: TrainedModel, data: Dataset, turn: float = 1.0, count: int = 300) -> pd.DataFrame:
    """What turning each control by `turn` standard deviations does to every attribute of `count` test examples,
    measured on what is decoded: mean change against the untouched reconstruction, in shares of the range that
    holds 95 % of the data. Rows: the control; columns: the attribute."""
    chosen = np.random.default_rng(items.SEED).permutation(len(data.test))[:count]
    given = examples(data.test, np.sort(chosen))
    rows = {}
    for control in trained.controls:
        edited = edit(trained, given, [Wish(control.attribute, turn=turn)])
        rows[plain(control.attribute)] = [
            np.nanmean(change) / max(k.most - k.least, 1e-9)
            for change, k in zip((edited.after - edited.rebuilt).T, trained.controls, strict=True)
        ]
    columns = [plain(name) for name in trained.attribute_names]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("control turned")


def weak(effects: pd.DataFrame, least: float = 0.05) -> str:
    """Which controls do little, in a sentence (Markdown). effects: of `side_effects`; least: of the range."""
    lines = []
    for control, row in effects.iterrows():
        own, others = row[control], effects[control].drop(control)
        if own < least or (others > own).any():
            rival = (
                f"; the control of {others.idxmax()} moves it by {others.max():+.2f}"
                if others.max() > own
                else ""
            )
            lines.append(f"{control} by {own:+.2f} of its range{rival}")
    if not lines:
        return "Every control moves its own attribute most."
    text = f"**Some controls do little.** A standard deviation of its own control moves {'; '.join(lines)}."
    return text.replace("-", "\N{MINUS SIGN}")


def related(data: Dataset, count: int = 5000) -> pd.DataFrame:
    """Spearman's rank correlation of every two attributes over `count` test examples."""
    chosen = np.random.default_rng(items.SEED).permutation(len(data.test))[:count]
    values = data.test.attributes[chosen]
    names = [plain(name) for name in data.attribute_names]
    return pd.DataFrame(spearman_matrix(values, values), index=names, columns=names)


def strangers(melody: Melody, versions: dict[str, np.ndarray]) -> pd.Series:
    """For each version of a melody (n, 24) the share of its notes whose pitch class the melody does not
    have."""
    known = np.unique(melody.measures[melody.measures >= 0] % 12)
    shares = {}
    for name, measures in versions.items():
        notes = measures[measures >= 0]
        shares[name] = f"{np.mean(~np.isin(notes % 12, known)) if notes.size else 0:.0%}"
    return pd.Series(shares, name="notes foreign to the tune's scale")


def leaps(measures: np.ndarray) -> float:
    """The mean size of the step from one measure's last note to the next one's first, in semitones; 0 for one
    measure."""
    lines = [measure[measure >= 0] for measure in measures if (measure >= 0).any()]
    steps = [abs(int(b[0]) - int(a[-1])) for a, b in zip(lines[:-1], lines[1:], strict=True)]
    return float(np.mean(steps)) if steps else 0.0


def seams(versions: dict[str, Sequence[np.ndarray] | np.ndarray]) -> pd.Series:
    """`leaps` of every version."""
    steps = {name: f"{leaps(np.asarray(measures)):.1f}" for name, measures in versions.items()}
    return pd.Series(steps, name="mean step over the bar line (semitones)")
