"""python -m compendium.readme [--check]: write README's tables from the reports, or say they are stale.

A table stands between the lines `<!-- NAME:begin -->` and `<!-- NAME:end -->`.
"""

import re
import sys
from pathlib import Path

import pandas as pd

from arvae import paths
from arvae.files import write_text
from compendium import labels, records, tables
from compendium.tables import baselines, claims, statistics, summary, typeset
from compendium.tables.scores import Reports


def blocks(home: Path) -> dict[str, str]:
    """Name of a table -> its Markdown."""
    shorter, studies = records.load(home), home / "studies" / "reports"
    night = records.load(home / "overnight")
    table = "*Not run with this version yet: `make studies` makes this table.*"
    if (studies / "metrics").is_dir():
        both = shorter | records.load(home, reports=studies)
        both = {name: report for name, report in both.items() if report["dataset"] in labels.DATASETS}
        table = typeset.markdown(_beside(baselines.scores(both)))
    return {
        "results": typeset.markdown(_compact(shorter, night, tables.published(home))),
        "claims": f"{claims.tally(claims.check(night or shorter, claims.PAPER))}.",
        "studies": table,
    }


def _compact(shorter: Reports, night: Reports, published: pd.DataFrame) -> pd.DataFrame:
    """`summary.main` with a column a data set; bold: in or near the published range, or above.

    Where the longer trainings of `make overnight` have been evaluated they stand first, and in brackets
    AR-VAE after `make repro`.
    """
    short = tables.runs(shorter) if night else None
    table = summary.main(tables.runs(night or shorter), published, night or shorter, short)
    reached = table.verdict.isin([statistics.IN, statistics.NEAR, statistics.ABOVE])
    ours, baseline = (table[name].str.partition(" (")[0] for name in ("AR-VAE", "β-VAE"))  # without intervals
    table["cell"] = ours.where(~reached, "**" + ours + "**")
    if night:
        table["cell"] += " (" + table["AR-VAE, laptop"] + ")"
    table["cell"] += "/" + baseline + " [" + table.published + "]"
    counted = table.runs.map(lambda runs: f" ({runs} run{'' if runs == '1' else 's'})")
    table["data set"] = table["data set"].map(labels.dataset_label) + counted
    rows, columns = (table[name].drop_duplicates() for name in ("metric", "data set"))
    return table.pivot(index="metric", columns="data set", values="cell").loc[rows, columns].reset_index()


def _beside(scores: pd.DataFrame) -> pd.DataFrame:
    """A row a model, a column a data set: interpretability and, behind the slash, the rank correlation of
    dimension and attribute on outputs; of each run or, of three and more, their means."""
    kept = scores[scores.metric.isin(["interpretability", baselines.EITHER])]
    values = kept.set_index(["model", "dataset", "run", "metric"]).value.unstack()
    keys = ["model", "dataset"]
    few = values.groupby(keys).transform("size") < statistics.FEW
    values = values.where(few, values.groupby(keys).transform("mean"))
    told, turned = (values[name].map("{:.2f}".format) for name in ("interpretability", baselines.EITHER))
    table = (told + "/" + turned).groupby(keys).agg(lambda cells: ", ".join(dict.fromkeys(cells)))
    table = table.unstack().fillna("–")
    table = table.loc[labels.in_order(table.index, labels.MODELS), labels.in_order(table, labels.DATASETS)]
    return table.rename(columns=labels.dataset_label).rename_axis(columns=None).reset_index()


def rewritten(text: str, tables: dict[str, str]) -> str:
    """README's text with each table put between its two lines; ValueError where these are missing."""
    for name, table in tables.items():
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        if not re.search(f"{begin}.*{end}", text, re.DOTALL):
            raise ValueError(f"README.md lacks {begin} and {end}: put them where the table is to stand")
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}\n{table}\n{end}{rest.partition(end)[2]}"
    return text


def main(arguments: list[str]) -> int:
    """Exit status 1 where --check finds a table that is not the reports'."""
    if {"-h", "--help"} & set(arguments):
        print(__doc__)
        return 0
    if set(arguments) - {"--check"}:
        print(f"there is only --check, not {' '.join(arguments)}", file=sys.stderr)
        return 2
    home = paths.project()
    path = home / "README.md"
    old = path.read_text(encoding="utf-8")
    try:
        new = rewritten(old, blocks(home))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    if new == old:
        return 0
    if "--check" in arguments:
        print("README.md: its tables are not those of reports/: run `python -m compendium.readme`")
        return 1
    write_text(path, new)
    print("README.md: tables rewritten")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
