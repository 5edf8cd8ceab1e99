"""Figures of numbers: metrics beside the published ones, training curves, the gamma-delta study.

Tables are tidy data frames. Scores have the columns metric, dataset, model, value and one row a run, as
data/published/ar_vae_2020_metrics.csv has (its column `point` is the run).
"""

from collections.abc import Mapping, Sequence

import matplotlib.colors
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from arvae.report.figures import style

MODEL_ORDER = ("betavae", "betavae1", "arvae", "fader", "glsr")
DATASET_ORDER = ("dsprites", "mnist", "bach", "folk")
SCORES = ("interpretability", "mig", "modularity", "sap", "scc")
TERM_LABELS = {"kl": "KL divergence", "regularization": "attribute regularization"}
GREY = style.MODEL_COLOURS["published"]


def _known_first(names, order: Sequence[str]) -> list[str]:
    present = list(dict.fromkeys(names))
    return [n for n in order if n in present] + [n for n in present if n not in order]


def _require(table: pd.DataFrame, columns: Sequence[str], what: str) -> None:
    missing = [c for c in columns if c not in table.columns]
    if missing:
        raise ValueError(f"{what} lacks the columns {missing}: it has {list(table.columns)}")


def boxes(
    ours: pd.DataFrame,
    published: pd.DataFrame | None = None,
    metrics: Sequence[str] = SCORES,
    width: float = style.FULL_WIDTH,
) -> Figure:
    """A panel a metric, a group a data set, a colour a model: runs are points, published ones paler.

    ours: columns metric, dataset, model, value. published: the same with `point`; its ten runs are a paler
    box, run 0 a diamond (on images the only one that did not continue from another, specification 5).
    From five runs on, ours are a box too.
    """
    _require(ours, ("metric", "dataset", "model", "value"), "the table of scores")
    metrics = [m for m in metrics if (ours.metric == m).any()]
    if not metrics:
        raise ValueError(
            f"the table of scores holds none of the metrics, only {sorted(ours.metric.unique())}"
        )
    if published is None:
        published = ours.assign(point=0).iloc[:0]
    columns = 1 if len(metrics) == 1 else 2
    rows = -(-(len(metrics) + 1) // columns) if columns == 2 else 1
    height = 0.5 + 2.15 * rows if columns == 2 else 3.4
    figure, panels = style.subplots(rows, columns, width=width, height=height, squeeze=False)
    models = _known_first(ours.model, MODEL_ORDER)
    for axes, metric in zip(panels.flat, metrics, strict=False):
        _box_panel(axes, ours[ours.metric == metric], published[published.metric == metric], models)
        axes.set_title(style.metric_label(metric))
    many = ours.groupby(["metric", "dataset", "model"]).size().max() >= 5
    handles = _legend(models, not published.empty, "runs" if many else "a run")
    if columns == 1:
        panels[0, 0].legend(handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1.0))
    else:
        spare = list(panels.flat)[len(metrics) :]
        for axes in spare:
            axes.set_axis_off()
        spare[0].legend(handles=handles, loc="center left", fontsize=10, labelspacing=0.9)
    return figure


def _legend(models: Sequence[str], published: bool, runs: str) -> list[Line2D]:
    handles = [
        Line2D(
            [], [], marker="o", ls="", color=style.model_colour(m), label=f"{style.model_label(m)}, {runs}"
        )
        for m in models
    ]
    if published:
        handles += [
            Line2D([], [], lw=7, color=GREY, alpha=0.28, label="published, ten runs (paler; bar: median)"),
            Line2D([], [], marker="D", ls="", ms=4.5, mfc="white", color=GREY, label="published, run 0"),
        ]
    return handles


def _box_panel(axes: Axes, ours: pd.DataFrame, published: pd.DataFrame, models: Sequence[str]) -> None:
    datasets = _known_first(ours.dataset, DATASET_ORDER)
    slot = 0.84 / len(models) if len(datasets) > 1 else 0.22
    for g, dataset in enumerate(datasets):
        here = ours[ours.dataset == dataset]
        present = [m for m in models if (here.model == m).any()]
        for k, model in enumerate(present):
            x = g + (k - (len(present) - 1) / 2) * slot
            reference = published[(published.dataset == dataset) & (published.model == model)]
            _reference(axes, x - 0.22 * slot, slot, reference, style.model_colour(model))
            values = here[here.model == model].value.to_numpy()
            _runs(axes, x + 0.2 * slot, slot, values, style.model_colour(model))
    axes.set_xticks(range(len(datasets)), [style.dataset_label(d).replace(" ", "\n") for d in datasets])
    axes.set_xlim(-0.55, len(datasets) - 0.45)
    axes.tick_params(axis="x", length=0)
    axes.grid(axis="x", visible=False)
    axes.use_sticky_edges = False  # else the axis ends where a bar does
    shown = np.concatenate([ours.value, published[published.dataset.isin(datasets)].value])
    if shown.min() >= 0 and shown.max() <= 1:
        axes.set_ylim(0, 1.03)
    else:
        axes.autoscale_view(scalex=False)


def _box(axes: Axes, x: float, width: float, values: np.ndarray, colour: str) -> None:
    """A box over the middle half, a line at the median, whiskers to the ends."""
    low, first, middle, third, high = np.quantile(values, (0, 0.25, 0.5, 0.75, 1))
    axes.vlines(x, low, high, color=colour, lw=1.0)
    axes.bar(x, third - first, width, bottom=first, color=matplotlib.colors.to_rgb(colour), alpha=0.35, lw=0)
    axes.hlines(middle, x - width / 2, x + width / 2, color=colour, lw=1.8)


def _reference(axes: Axes, x: float, slot: float, runs: pd.DataFrame, colour: str) -> None:
    """The published runs: a box in the model's colour, paler, and a diamond at run 0."""
    if runs.empty:
        return
    pale = matplotlib.colors.to_hex(0.5 + 0.5 * np.array(matplotlib.colors.to_rgb(colour)))
    _box(axes, x, 0.32 * slot, runs.value.to_numpy(), pale)
    first = runs[runs.point == 0].value
    axes.plot([x] * len(first), first, "D", ms=3.6, mfc="white", mec=GREY, mew=1.0, zorder=3)


def _runs(axes: Axes, x: float, slot: float, values: np.ndarray, colour: str) -> None:
    n = len(values)
    if n >= 5:
        _box(axes, x, 0.42 * slot, values, colour)
        return
    spread = np.linspace(-0.12, 0.12, n) * slot if n > 1 else np.zeros(n)
    axes.plot(x + spread, values, "o", ms=4.4, color=colour, mec="white", mew=0.5, zorder=3)


def attribute_scores(scores: pd.DataFrame, metric: str, width: float = 5.2) -> Figure:
    """One metric attribute by attribute: columns attribute, model, value (a row a run). A bar joins means."""
    _require(scores, ("attribute", "model", "value"), "the table of attribute scores")
    names = list(dict.fromkeys(scores.attribute))
    models = _known_first(scores.model, MODEL_ORDER)
    figure, axes = style.subplots(width=width, height=0.95 + 0.36 * len(names))
    for i, name in enumerate(names):
        means = [scores[(scores.attribute == name) & (scores.model == m)].value.mean() for m in models]
        axes.hlines(i, np.nanmin(means), np.nanmax(means), color="#cfd4da", lw=3, zorder=1)
    for k, model in enumerate(models):
        rows = scores[scores.model == model]
        aside = 0.16 * (k - (len(models) - 1) / 2)  # no model's points hide another's
        y = [names.index(name) + aside for name in rows.attribute]
        axes.plot(
            rows.value, y, "o", ms=6, color=style.model_colour(model), mec="white", mew=0.6, alpha=0.9,
            label=style.model_label(model),
        )  # fmt: skip
    axes.set_yticks(range(len(names)), [style.plain(name) for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set(xlabel=style.metric_label(metric))
    if scores.value.between(0, 1).all():
        axes.set_xlim(-0.02, 1.02)
    axes.tick_params(axis="y", length=0)
    handles = axes.get_legend_handles_labels()[0]
    handles.append(Line2D([], [], color="#cfd4da", lw=3, label="between means"))
    figure.legend(handles=handles, loc="outside upper left", ncols=min(len(handles), 3))
    return figure


def training_curves(
    histories: Mapping[str, Mapping[str, pd.DataFrame]],
    terms: Sequence[str] = ("loss", "reconstruction", "kl", "regularization"),
    units: Mapping[str, str] | None = None,
) -> Figure:
    """Terms of the loss over training, {model: {run: history}}: a panel a term, a line a run.

    A history has the columns epoch (or step) and the terms; where a column validation_<term> exists it is
    drawn dotted. Terms that no history has, or that are 0 throughout, are left out.
    """
    frames = [h for runs in histories.values() for h in runs.values()]
    kept = [t for t in terms if any(t in h and np.nanmax(np.abs(h[t])) > 0 for h in frames)]
    if not kept:
        raise ValueError(f"the histories hold none of the terms {list(terms)}: {list(frames[0].columns)}")
    along = "epoch" if all("epoch" in h for h in frames) else "step"
    columns = min(2, len(kept))
    rows = -(-len(kept) // columns)
    figure, panels = style.subplots(
        rows, columns, width=style.FULL_WIDTH, height=0.45 + 1.95 * rows, squeeze=False, sharex=True
    )
    validated = False
    for axes, term in zip(panels.flat, kept, strict=False):
        for model, runs in histories.items():
            for history in runs.values():
                colour = style.model_colour(model)
                if term in history:
                    axes.plot(history[along], history[term], color=colour, lw=1.3, alpha=0.85)
                held = history.get(f"validation_{term}")
                if held is not None and held.notna().any():
                    validated = True
                    seen = held.notna()
                    axes.plot(history[along][seen], held[seen], ":", color=colour, lw=1.5, marker=".", ms=4)
        unit = (units or {}).get(term, "")
        axes.set_title(f"{TERM_LABELS.get(term, style.plain(term))}{f' ({unit})' if unit else ''}")
        _cut_start(axes)
    for axes in panels[-1]:
        axes.set_xlabel(along)
    for axes in list(panels.flat)[len(kept) :]:
        axes.set_axis_off()
    handles = [Line2D([], [], color=style.model_colour(m), label=style.model_label(m)) for m in histories]
    if validated:
        handles.append(Line2D([], [], ls=":", color=style.INK, label="validation"))
    figure.legend(handles=handles, loc="outside upper left", ncols=len(handles))
    return figure


def _cut_start(axes: Axes) -> None:
    """Let the first steps, often many times higher than all later ones, leave the panel at its top."""
    lines = [line.get_xydata() for line in axes.lines]
    end = max((xy[:, 0].max() for xy in lines), default=0)
    late = [xy[xy[:, 0] > 0.04 * end, 1] for xy in lines]
    late = np.concatenate([y[np.isfinite(y)] for y in late]) if lines else np.zeros(0)
    if late.size:
        low, high = axes.get_ylim()
        margin = 0.06 * (late.max() - min(low, late.min()))
        axes.set_ylim(low, min(high, late.max() + margin) if margin > 0 else high)


def _grid(table: pd.DataFrame, value: str) -> pd.DataFrame:
    return table.pivot_table(index="gamma", columns="delta", values=value, aggfunc="mean").sort_index()


def hyperparameter_scatter(
    ours: pd.DataFrame, published: pd.DataFrame | None = None, baseline: tuple[float, float] | None = None
) -> Figure:
    """Interpretability against reconstruction accuracy: a point a setting of gamma (colour) and delta (size).

    ours, published: columns gamma, delta, interpretability, reconstruction_accuracy_percent; both panels have
    the same axes. baseline: the published beta-VAE's (interpretability, accuracy).
    """
    parts = {"ours": ours} | ({"published": published} if published is not None else {})
    for what, table in parts.items():
        _require(table, ("gamma", "delta", "interpretability", "reconstruction_accuracy_percent"), what)
    both = pd.concat(parts.values())
    deltas = sorted(both.delta.unique())
    sizes = dict(zip(deltas, np.linspace(18, 110, len(deltas)), strict=True))
    norm = LogNorm(both.gamma.min(), max(both.gamma.max(), both.gamma.min() * 1.01))
    figure, panels = style.subplots(
        1, len(parts), width=style.FULL_WIDTH, height=3.3, squeeze=False, sharex=True, sharey=True
    )
    for axes, (what, table) in zip(panels[0], parts.items(), strict=True):
        dots = axes.scatter(
            table.interpretability, table.reconstruction_accuracy_percent, c=table.gamma, cmap="viridis",
            norm=norm, s=table.delta.map(sizes), ec="white", lw=0.7, alpha=0.95, zorder=3,
        )  # fmt: skip
        if baseline and what == "published":
            # Far below the others: drawn to scale it would press them into a line.
            note = f"↓ β-VAE at {baseline[0]:.2f}, {baseline[1]:.1f} %"
            ink = style.model_ink("betavae")
            axes.text(0.03, 0.04, note, transform=axes.transAxes, fontsize=9, color=ink)
        axes.set(title=what, xlabel="interpretability")
    panels[0, 0].set_ylabel("reconstruction accuracy (% of pixels)")
    bar = figure.colorbar(dots, ax=panels[0].tolist(), pad=0.02, aspect=30)
    bar.set_label("γ", rotation=0)
    handles = [
        Line2D([], [], marker="o", ls="", color="#8a8f98", ms=np.sqrt(sizes[d]), label=f"δ = {d:g}")
        for d in deltas
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=len(deltas))
    return figure


def hyperparameter_map(
    ours: pd.DataFrame, published: pd.DataFrame | None = None, value: str = "interpretability"
) -> Figure:
    """One value over gamma (down) and delta (right), ours beside the published, written into the cells."""
    parts = {"ours": _grid(ours, value)} | (
        {} if published is None else {"published": _grid(published, value)}
    )
    low = min(np.nanmin(g.to_numpy()) for g in parts.values())
    high = max(np.nanmax(g.to_numpy()) for g in parts.values())
    rows = max(len(g) for g in parts.values())
    figure, panels = style.subplots(
        1, len(parts), width=style.FULL_WIDTH, height=1.0 + 0.36 * rows, squeeze=False
    )
    for axes, (what, grid) in zip(panels[0], parts.items(), strict=True):
        shown = axes.imshow(grid, cmap=style.SEQUENTIAL, vmin=low, vmax=high, aspect="auto")
        for (i, j), number in np.ndenumerate(grid.to_numpy()):
            dark = number < low + 0.6 * (high - low)
            text = f"{number:.2f}" if high <= 1 else f"{number:.1f}"
            if np.isfinite(number):
                axes.text(
                    j, i, text, ha="center", va="center", color="white" if dark else style.INK, fontsize=9
                )
        axes.set_xticks(range(grid.shape[1]), [f"{d:g}" for d in grid.columns])
        axes.set_yticks(range(len(grid)), [f"{g:g}" for g in grid.index])
        axes.grid(False)
        axes.spines[:].set_visible(False)
        axes.set(title=what, xlabel="δ", ylabel="γ")
    figure.colorbar(shown, ax=panels[0].tolist(), pad=0.02, aspect=25, label=style.metric_label(value))
    return figure
