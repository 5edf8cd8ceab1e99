"""Tables as files: CSV to compute with, Markdown to read on the web, LaTeX (booktabs) to print."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from IPython.display import HTML

from arvae.files import atomic_write
from arvae.report.figures import style


def write(table: pd.DataFrame, folder: Path | str, name: str, text: str, digits: int = 3) -> list[Path]:
    """Write folder/<name>.csv, .md and .tex with the caption `text`; the paths.

    The csv begins with the caption behind "#" (`pandas.read_csv(path, comment="#")`) and keeps six digits;
    the others show `digits`.
    """
    folder = Path(folder)
    contents = {
        "csv": "# "
        + text.replace("\n", " ")
        + "\n"
        + table.to_csv(index=False, float_format="%.6g", lineterminator="\n"),
        "md": markdown(table, text, digits),
        "tex": latex(table, text, f"tab:{name}", digits),
    }
    paths = []
    for suffix, content in contents.items():
        path = folder / f"{name}.{suffix}"
        with atomic_write(path) as temporary:
            temporary.write_text(content, encoding="utf-8")
        paths.append(path)
    return paths


def shown(table: pd.DataFrame, digits: int = 3) -> pd.DataFrame:
    """The table as people read it: labels for names, rounded numbers, a dash for what is undefined."""
    labels = {"metric": _metric, "data set": style.dataset_label, "model": style.model_label}
    columns = {}
    for column in table.columns:
        label = labels.get(column)
        percent = table["metric"].astype(str).str.endswith("percent") if "metric" in table else None
        columns[column] = [
            label(value)
            if label
            else _cell(value, digits, bool(percent is not None and percent.iloc[i]), column)
            for i, value in enumerate(table[column])
        ]
    return pd.DataFrame(columns).rename(columns=style.model_label)


def _metric(name: str) -> str:
    label = style.metric_label(name)
    return label[:1].upper() + label[1:]


_SIGNED = ("difference", "Hedges g", "by β", "by regularization", "rank correlation")
_PLAIN = ("gamma", "delta")  # settings, not results: as many digits as they have


def _cell(value: Any, digits: int, percent: bool, column: str) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return "–"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, float | np.floating):
        if column == "runs":
            return f"{value:.0f}"
        places = 1 if column == "Hedges g" else max(digits - 2, 1) if percent else digits
        if column == "share of β":
            return f"{100 * value:.0f} %".replace("-", "\N{MINUS SIGN}")
        if column in _PLAIN:
            return f"{value:g}"
        sign = "+" if column in _SIGNED else ""
        return f"{value:{sign}.{places}f}".replace("-", "\N{MINUS SIGN}")
    return str(value)


def html(table: pd.DataFrame, digits: int = 3) -> HTML:
    """The table as a notebook cell shows it."""
    return HTML(shown(table, digits).to_html(index=False, border=0))


def markdown(table: pd.DataFrame, text: str, digits: int = 3) -> str:
    """A GitHub-flavoured table under its caption."""
    rows = shown(table, digits)
    right = [pd.api.types.is_numeric_dtype(table[column]) for column in table.columns]
    lines = [
        "| " + " | ".join(rows.columns) + " |",
        "|" + "|".join("--:" if r else ":--" for r in right) + "|",
    ]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows.to_numpy()]
    return f"{text}\n\n" + "\n".join(lines) + "\n"


_TEX = {"&": r"\&", "%": r"\%", "#": r"\#", "_": r"\_", "$": r"\$", "{": r"\{", "}": r"\}",
        "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}",
        "\N{MINUS SIGN}": "$-$", "–": "--", "β": r"$\beta$", "γ": r"$\gamma$", "δ": r"$\delta$",
        "≥": r"$\geq$", "≤": r"$\leq$", "±": r"$\pm$", "ρ": r"$\rho$", "×": r"$\times$"}  # fmt: skip


def tex_escape(text: str) -> str:
    """Plain text as LaTeX."""
    return "".join(_TEX.get(character, character) for character in text)


def latex(table: pd.DataFrame, text: str, label: str, digits: int = 3) -> str:
    """A longtable with booktabs rules (packages booktabs, longtable), caption and label."""
    rows = shown(table, digits)
    right = [pd.api.types.is_numeric_dtype(table[column]) for column in table.columns]
    wide = [not r and rows[c].str.len().max() > 40 for r, c in zip(right, rows.columns, strict=True)]
    form = "".join("r" if r else "p{0.4\\linewidth}" if w else "l" for r, w in zip(right, wide, strict=True))
    head = " & ".join(tex_escape(column) for column in rows.columns) + r" \\"
    body = [" & ".join(tex_escape(cell) for cell in row) + r" \\" for row in rows.to_numpy()]
    return "\n".join(
        [
            r"{\small",
            rf"\begin{{longtable}}{{{form}}}",
            rf"\caption{{{tex_escape(text)}}}\label{{{label}}}\\",
            r"\toprule",
            head,
            r"\midrule\endfirsthead",
            r"\toprule",
            head,
            r"\midrule\endhead",
            r"\bottomrule\endfoot",
            *body,
            r"\end{longtable}}",
            "",
        ]
    )
