"""Tables as files: CSV to compute with, Markdown to read on the web, LaTeX (booktabs) to print."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from IPython.display import HTML

from arvae.files import write_text
from compendium import labels

_SIGNED = ("difference", "rank correlation", "outside by")
_EXACT = ("gamma", "delta")  # settings, not results: as many digits as they have
_TEX = str.maketrans(
    {"&": r"\&", "%": r"\%", "#": r"\#", "_": r"\_", "$": r"\$", "{": r"\{", "}": r"\}",
     "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}",
     "\N{MINUS SIGN}": "$-$", "–": "--", "β": r"$\beta$", "γ": r"$\gamma$", "δ": r"$\delta$",
     "≥": r"$\geq$", "≤": r"$\leq$", "±": r"$\pm$", "ρ": r"$\rho$", "×": r"$\times$"}
)  # fmt: skip


def write(table: pd.DataFrame, folder: Path | str, name: str, text: str, digits: int = 3) -> list[Path]:
    """Write folder/<name>.csv, .md and .tex with the caption `text`; the paths.

    The csv begins with the caption behind "#" (`pandas.read_csv(path, comment="#")`) and keeps six digits;
    the others show `digits`.
    """
    numbers = table.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    contents = {
        "csv": f"# {text}\n".replace("\n", " ").rstrip() + "\n" + numbers,
        "md": f"{text}\n\n{markdown(table, digits)}\n",
        "tex": latex(table, text, f"tab:{name}", digits),
    }
    paths = [Path(folder) / f"{name}.{suffix}" for suffix in contents]
    for path, content in zip(paths, contents.values(), strict=True):
        write_text(path, content)
    return paths


def shown(table: pd.DataFrame, digits: int = 3) -> pd.DataFrame:
    """The table as people read it: labels for names, rounded numbers, a dash for what is undefined."""
    written = {"metric": labels.metric_label, "data set": labels.dataset_label, "model": labels.model_label}
    percent = (
        [str(m).endswith("percent") for m in table["metric"]] if "metric" in table else [False] * len(table)
    )
    columns = {
        column: [
            written[column](value)
            if column in written
            else _cell(value, max(digits - 2, 1) if p else digits, column)
            for value, p in zip(table[column], percent, strict=True)
        ]
        for column in table.columns
    }
    return pd.DataFrame(columns).rename(columns=labels.model_label)


def _cell(value: Any, digits: int, column: str) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return "–"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if not isinstance(value, float | np.floating):
        return str(value)
    if column in _EXACT:
        return f"{value:g}"
    return labels.signed(value, digits, plus=column in _SIGNED)


def _aligned(table: pd.DataFrame) -> list[str]:
    return ["right" if pd.api.types.is_numeric_dtype(table[column]) else "left" for column in table.columns]


def html(table: pd.DataFrame, digits: int = 3) -> HTML:
    """The table as a notebook cell shows it."""
    return HTML(shown(table, digits).to_html(index=False, border=0))


def markdown(table: pd.DataFrame, digits: int = 3) -> str:
    """A GitHub-flavoured table."""
    rows = shown(table, digits).map(lambda text: text.replace("|", "\\|"))
    return rows.to_markdown(index=False, disable_numparse=True, colalign=_aligned(table))


def latex(table: pd.DataFrame, text: str, label: str, digits: int = 3) -> str:
    """A longtable with booktabs rules (packages booktabs, longtable), caption and label."""
    rows = shown(table, digits)
    form = "".join(
        "r" if side == "right" else "p{0.4\\linewidth}" if rows[column].str.len().max() > 40 else "l"
        for column, side in zip(rows.columns, _aligned(table), strict=True)
    )
    # Escaped here: pandas' own escape leaves captions and Greek letters as they are.
    rows = rows.map(lambda cell: cell.translate(_TEX)).rename(columns=lambda name: name.translate(_TEX))
    body = rows.to_latex(
        index=False,
        longtable=True,
        column_format=form,
        caption=text.translate(_TEX),
        label=label,
        escape=False,
    )
    return f"{{\\small\n{body}}}\n"
