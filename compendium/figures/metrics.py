"""Figures of numbers: metrics beside the published ones, training curves, the gamma-delta study.

Tables are tidy data frames. Scores have the columns metric, dataset, model, value and one row a run, as
data/published/ar_vae_2020_metrics.csv has (its column `point` is the run).
"""

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import MatplotlibDeprecationWarning
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from compendium import labels
from compendium.figures import style

SCORES = ("interpretability", "mig", "modularity", "sap", "scc")
MANY = 5  # runs from which a box says more than points
BOUNDS = {"floor": ":", "ceiling": "--"}  # and how their lines are drawn
TERM_LABELS = {"kl": "KL divergence", "regularization": "attribute regularization"}


def boxes(
    ours: pd.DataFrame,
    published: pd.DataFrame | None = None,
    metrics: Sequence[str] = SCORES,
    bounds: Mapping[str, Mapping[tuple[str, str], float]] | None = None,
) -> Figure:
    """A panel a metric, a group a data set, a colour a model: runs are points, published ones paler.

    ours: columns metric, dataset, model, value. published: the same with `point`; its ten runs are a paler
    box, run 0 a diamond (on images the only one that did not continue from another).
    From five runs on, ours are a box too. bounds: "floor" and "ceiling" -> metric and data set -> the score
    (`tables.bounds`), a line each.
    """
    metrics = [m for m in metrics if (ours.metric == m).any()]
    if not metrics:
        raise ValueError(
            f"the table of scores holds none of the metrics, only {sorted(ours.metric.unique())}"
        )
    theirs = ours.assign(point=0)[:0] if published is None else published
    ours, theirs = (table[table.metric.isin(metrics)].dropna(subset="value") for table in (ours, theirs))
    models = labels.in_order(ours.model, labels.MODELS)
    theirs = theirs[theirs.model.isin(models) & theirs.dataset.isin(ours.dataset)]
    # Published and ours of a model stand next to each other: a hue each, the same places in every layer.
    palette = {}
    for model in models:
        colour = style.model_colour(model)
        if (theirs.model == model).any():
            palette[f"{model}, published"] = sns.blend_palette(["white", colour], 3)[1]
        palette[f"{model}, here"] = colour
    ours = ours.assign(hue=ours.model + ", here")
    theirs = theirs.assign(hue=theirs.model + ", published")
    figure, panels = style.panels(len(metrics), 2, 2.15)
    lines = {
        side: {key: y for key, y in (bounds or {}).get(side, {}).items() if key[0] in metrics}
        for side in BOUNDS
    }
    for axes, metric in zip(panels, metrics, strict=True):
        here = ours[ours.metric == metric]
        datasets = labels.in_order(here.dataset, labels.DATASETS)
        _box_panel(axes, here, theirs[theirs.metric == metric], datasets, palette)
        for side, values in lines.items():
            for x, y in [
                (x, values[metric, name]) for x, name in enumerate(datasets) if (metric, name) in values
            ]:
                axes.hlines(y, x - 0.42, x + 0.42, color=style.GREY, lw=1, ls=BOUNDS[side], zorder=1)
    reference = [
        Line2D([], [], lw=7, color=style.GREY, alpha=0.28, label="published, ten runs (paler)"),
        Line2D([], [], marker="D", ls="", ms=4.5, mfc="white", color=style.GREY, label="published, run 0"),
    ]
    reference = reference if len(theirs) else []
    reference += [
        Line2D([], [], color=style.GREY, lw=1, ls=line, label=side)
        for side, line in BOUNDS.items()
        if lines[side]
    ]
    _legend(figure, models, *reference, marker="o", ls="")
    style.wrap([axes.set_title(labels.metric_label(m)) for axes, m in zip(panels, metrics, strict=True)])
    return figure


def _box_panel(
    axes: Axes, ours: pd.DataFrame, theirs: pd.DataFrame, datasets: Sequence[str], palette: Mapping[str, str]
) -> None:
    place = {"x": "dataset", "y": "value", "hue": "hue", "order": datasets, "hue_order": list(palette),
             "ax": axes, "legend": False}  # fmt: skip
    runs = ours.groupby(["dataset", "model"]).value.transform("size")
    boxed = pd.concat([theirs, ours[runs >= MANY]])
    if len(boxed):
        with warnings.catch_warnings():  # seaborn 0.13 gives matplotlib 3.11 an option by its old name
            warnings.simplefilter("ignore", MatplotlibDeprecationWarning)
            sns.boxplot(boxed, palette=palette, whis=(0, 100), linewidth=0.9, linecolor=style.GREY, **place)
    points = {"dodge": True, "jitter": False, "linewidth": 0.6}
    if (runs < MANY).any():
        sns.stripplot(ours[runs < MANY], palette=palette, size=4.4, edgecolor="white", **points, **place)
    if len(theirs):
        first = theirs[theirs.point == 0]
        white = dict.fromkeys(palette, "white")
        sns.stripplot(first, palette=white, size=4.2, marker="D", edgecolor=style.GREY, **points, **place)
    axes.set_xticks(range(len(datasets)), [labels.dataset_label(d).replace(" ", "\n") for d in datasets])
    axes.tick_params(axis="x", length=0)
    axes.set(xlabel="", ylabel="")
    if pd.concat([ours.value, theirs.value]).between(0, 1).all():
        axes.set_ylim(0, 1.03)


def attribute_scores(scores: pd.DataFrame, metric: str) -> Figure:
    """One metric attribute by attribute: columns attribute, model, value (a row a run). A bar joins means."""
    names = list(dict.fromkeys(scores.attribute))
    models = labels.in_order(scores.dropna(subset="value").model, labels.MODELS)
    figure, axes = style.subplots(width=5.2, height=0.95 + max(0.36, 0.06 * len(models)) * len(names))
    means = scores.groupby(["attribute", "model"]).value.mean().groupby("attribute").agg(["min", "max"])
    axes.hlines(range(len(names)), means["min"][names], means["max"][names], color="#cfd4da", lw=3, zorder=1)
    sns.stripplot(
        scores, x="value", y="attribute", hue="model", order=names, hue_order=models, jitter=False,
        dodge=True, palette={m: style.model_colour(m) for m in models}, size=6, edgecolor="white",
        linewidth=0.6, legend=False, ax=axes,
    )  # fmt: skip
    axes.set_yticks(range(len(names)), [labels.plain(name) for name in names])
    axes.set(xlabel=labels.metric_label(metric), ylabel="")
    if scores.value.between(0, 1).all():
        axes.set_xlim(-0.02, 1.02)
    axes.tick_params(axis="y", length=0)
    bar = [Line2D([], [], color="#cfd4da", lw=3, label="between means")] if len(models) > 1 else []
    _legend(figure, models, *bar, marker="o", ls="")
    return figure


def content_curves(curves: pd.DataFrame) -> Figure:
    """Content kept against range covered, see `tables.content_curves`: a panel a data set, a line a run."""
    datasets, models = (
        labels.in_order(curves[c], o) for c, o in (("dataset", labels.DATASETS), ("model", labels.MODELS))
    )
    if curves.empty:
        raise ValueError("no report holds a curve of content: run `dvc repro evaluate`")
    figure, panels = style.panels(len(datasets), 2, 2.2)
    for axes, dataset in zip(panels, datasets, strict=True):
        for (model, _), line in curves[curves.dataset == dataset].groupby(["model", "run"], sort=False):
            axes.plot(line.range_covered, line.content, "o-", color=style.model_colour(model), ms=4, lw=1.3)
        axes.set(title=labels.dataset_label(dataset), xlabel="range covered", ylabel="content kept")
        axes.set(xlim=(0, None), ylim=(0, 1.03))
    _legend(figure, models, marker="o")
    return figure


def _legend(figure: Figure, models: Sequence[str], *more: Line2D, **line) -> None:
    """A legend above all panels, in as many columns as there is room for; the figure grows by its lines."""
    handles = [
        Line2D([], [], color=style.model_colour(m), label=labels.model_label(m), **line) for m in models
    ]
    handles += more
    for columns in range(len(handles), 0, -1):
        legend = figure.legend(handles=handles, loc="outside upper left", ncols=columns)
        size = legend.get_window_extent()
        lines = -(-len(handles) // columns)
        if size.width < 0.98 * figure.bbox.width or columns == 1:
            break
        legend.remove()
    figure.set_figheight(figure.get_figheight() + size.height / figure.dpi * (lines - 1) / lines)


def training_curves(
    histories: Mapping[str, Mapping[str, pd.DataFrame]],
    terms: Sequence[str] = ("loss", "reconstruction", "kl", "regularization"),
) -> Figure:
    """Terms of the loss over training, {model: {run: history}}: a panel a term, a line a run.

    A history has the columns epoch (or step) and the terms; where a column validation_<term> exists it is
    drawn dotted. Terms that no history has, or that are 0 throughout, are left out. Both axes are logarithmic
    where all values are positive: a straight line still learns, a flat one does not.
    """
    frames = [(model, history) for model, runs in histories.items() for history in runs.values()]
    kept = [t for t in terms if any(t in h and np.nanmax(np.abs(h[t])) > 0 for _, h in frames)]
    if not kept:
        raise ValueError(f"the histories hold none of the terms {list(terms)}: {list(frames[0][1].columns)}")
    along = "epoch" if all("epoch" in h for _, h in frames) else "step"
    figure, panels = style.panels(len(kept), 2, 1.95)
    validated = False
    for axes, term in zip(panels, kept, strict=True):
        for model, history in frames:
            colour = style.model_colour(model)
            if term in history:
                axes.plot(history[along], history[term], color=colour, lw=1.3, alpha=0.85)
            if f"validation_{term}" in history:
                held = history.dropna(subset=f"validation_{term}")
                axes.plot(
                    held[along], held[f"validation_{term}"], ":", color=colour, lw=1.5, marker=".", ms=4
                )
                validated |= len(held) > 0
        axes.set_title(TERM_LABELS.get(term, labels.plain(term)))
        axes.set_xlabel(along)
        _logarithmic(axes)
    dotted = [Line2D([], [], ls=":", color=style.INK, label="validation")] if validated else []
    _legend(figure, list(histories), *dotted)
    return figure


def levelled(histories: Mapping[str, pd.DataFrame]) -> str:
    """How far the reconstruction of validation examples still fell at the end, in a sentence for a caption.

    The mean over runs of the last measurement, beside that at four fifths of the steps.
    """
    ends = []
    for history in histories.values():
        if "validation_reconstruction" in history:
            held = history.dropna(subset="validation_reconstruction")
            before = held[held.step <= 0.8 * held.step.max()]
            if len(before):
                ends.append(
                    (before.validation_reconstruction.iloc[-1], held.validation_reconstruction.iloc[-1])
                )
    if not ends:
        return ""
    before, last = np.mean(ends, axis=0)
    return (
        "Over the last fifth of training, the reconstruction term on validation examples went from "
        f"{before:.3g} to {last:.3g}."
    )


def _logarithmic(axes: Axes) -> None:
    """Logarithmic axes with plain numbers, where everything drawn is positive."""
    points = np.concatenate([line.get_xydata() for line in axes.lines])
    for axis, values in zip((axes.xaxis, axes.yaxis), points.T, strict=True):
        if np.nanmin(values) > 0:
            axis.axes.set(**{f"{axis.axis_name}scale": "log"})
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axis.set_minor_formatter(NullFormatter())


def hyperparameter_scatter(
    ours: pd.DataFrame, published: pd.DataFrame, baseline: tuple[float, float]
) -> Figure:
    """Interpretability against reconstruction accuracy: a point a setting of gamma (colour) and delta (size).

    ours, published: columns gamma, delta, interpretability, reconstruction_accuracy_percent. baseline: the
    published beta-VAE's (interpretability, accuracy), written only: drawn it would press the others together.
    """
    style.use()
    both = pd.concat({"ours": ours, "published": published}, names=["of"]).reset_index("of")
    grid = sns.relplot(
        both.rename(columns={"gamma": "γ", "delta": "δ"}), x="interpretability", col="of", hue="γ", size="δ",
        y="reconstruction_accuracy_percent", palette=style.SEQUENTIAL, hue_norm=LogNorm(), sizes=(18, 110),
        size_norm=LogNorm(), alpha=0.95, legend="full", height=3.2, facet_kws={"despine": False},
    )  # fmt: skip
    grid.set_titles("{col_name}").set_ylabels("reconstruction accuracy (% of pixels)")
    note = f"(β-VAE: {baseline[0]:.2f}, {baseline[1]:.1f} %)"
    grid.axes.flat[-1].text(0.03, 0.04, note, transform=grid.axes.flat[-1].transAxes, fontsize=9)
    plt.close(grid.figure)  # seaborn makes it with pyplot, from which a notebook would show it a second time
    return grid.figure


def hyperparameter_map(
    ours: pd.DataFrame, published: pd.DataFrame, value: str = "interpretability"
) -> Figure:
    """One value over gamma (down) and delta (right), ours beside the published, written into the cells."""
    grids = {
        what: table.pivot_table(index="gamma", columns="delta", values=value)
        for what, table in (("ours", ours), ("published", published))
    }
    low, high = (extreme(pd.concat([ours[value], published[value]])) for extreme in (np.nanmin, np.nanmax))
    figure, panels = style.subplots(1, 2, height=1.0 + 0.36 * max(map(len, grids.values())))
    for axes, (what, grid) in zip(panels, grids.items(), strict=True):
        sns.heatmap(
            grid.rename(index="{:g}".format, columns="{:g}".format), ax=axes, cmap=style.SEQUENTIAL, vmin=low,
            vmax=high, annot=True, fmt=".2f" if high <= 1 else ".1f", annot_kws={"fontsize": 9},
            cbar=axes is panels[1], cbar_kws={"label": labels.metric_label(value)},
        )  # fmt: skip
        axes.tick_params(length=0, labelrotation=0)
        axes.set(title=what, xlabel="δ", ylabel="γ")
    return figure
