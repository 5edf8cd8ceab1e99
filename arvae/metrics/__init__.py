"""How well latent dimensions carry attributes: pure functions of (codes, attributes), one file a metric.

result = evaluate(latents, attributes, names, dimensions)   # attribute by attribute, single dimensions
scores = grouped(latents, attributes, kinds)   # DCI, FactorVAE, BetaVAE, IRS: whole codes, groups of examples
outputs.gamma(values, measured)   # of an attribute measured along a traversal

NaN or infinite values, shapes that do not fit and too few rows are refused (MetricError). A constant latent
dimension carries nothing: its mutual information, R2 and rank correlation are 0. A constant attribute cannot
be carried: all its values are 0. Discrete attributes are evaluated like continuous ones, as published (see
`arvae.metrics.information`).

To add a metric: a file here with a function that gives a number for each attribute; in `evaluate` a line in
`values`; its name in METRICS. Evaluation reports and the tables of single setups then show it. Tables and
figures beside the paper's values list their metrics by name (`PUBLISHED_NAMES` in
compendium/tables/scores.py, `SCORES` in compendium/figures/metrics.py); compendium/labels.py has the
names that are shown.
"""

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from arvae.metrics import dci, factors
from arvae.metrics.betavae import betavae_score
from arvae.metrics.dlig import dlig
from arvae.metrics.dmig import carried_attributes, dmig
from arvae.metrics.factorvae import factorvae_score
from arvae.metrics.information import mutual_information, self_information
from arvae.metrics.interpretability import choose_dimensions, interpretability, r2_matrix
from arvae.metrics.irs import irs
from arvae.metrics.mig import mig
from arvae.metrics.modularity import modularity, weighted_modularity
from arvae.metrics.sap import sap
from arvae.metrics.scc import scc, spearman_matrix
from arvae.metrics.xmig import xmig

METRICS = (
    "interpretability", "mig", "modularity", "sap", "scc", "dmig", "xmig", "dlig", "modularity_weighted",
)  # fmt: skip
GROUPED = ("disentanglement", "completeness", "informativeness", "factorvae_score", "betavae_score", "irs")
MIN_ROWS = 10
CODES = 10_000  # scored at most in this project: MIG falls with their number, which must be one everywhere


class MetricError(ValueError):
    """Codes or attributes cannot be evaluated; the message names what is wrong and the remedy."""


def evaluate(
    latents: Any,
    attributes: Any,
    names: Sequence[str],
    dimensions: Mapping[str, int] | Sequence[int | None] | None = None,
    random_state: int = 0,
    workers: int | None = None,
) -> dict[str, Any]:
    """All metrics of codes (n, d) against attributes (n, k) called `names`: JSON-serialisable floats.

    dimensions: the regularized dimension of each attribute, as a mapping by name or k entries (None: that one
    is not regularized). random_state fixes the estimator's noise: equal input gives equal numbers, with any
    number of workers (threads, None: one a core).

    Returns METRICS: means over attributes with each attribute's dimension chosen by mutual information, as
    published, and of dimensions modularity, as published and weighted; per_attribute[name], and the
    dimension, entropy and signed Spearman correlation; `regularized`: the same with the regularized
    dimensions (None where there are none; means over the regularized attributes); mutual_information[name]: d
    values in nats; modularity_by_dimension: d values; n, constant_dimensions, constant_attributes. A DMIG or
    DLIG that is undefined (one attribute determines another) is None and left out of the mean.
    """
    z, a, names = _checked(latents, attributes, names)
    regularized = _regularized(dimensions, names, z.shape[1])
    constant, constant_attributes = (np.ptp(columns, axis=0) == 0 for columns in (z, a))
    information = mutual_information(z, a, random_state, workers)
    entropy = self_information(a, random_state, workers)
    r2, rho = r2_matrix(z, a), spearman_matrix(z, a)
    carried = carried_attributes(information, regularized)

    @functools.cache
    def between(i: int, other: int) -> float:
        return mutual_information(a[:, [other]], a[:, [i]], random_state, workers=1).item()

    def measure(columns: list[int], chosen: np.ndarray | None) -> dict[str, Any]:
        """Every metric for attributes `columns`, along `chosen` or along what suits each metric best."""
        info, h = information[:, columns], entropy[columns]
        carries = [columns.index(i) if i in columns else None for i in carried]
        used = choose_dimensions(info) if chosen is None else chosen

        def known(i: int, other: int) -> float:
            return between(columns[i], columns[other])

        values = {
            "interpretability": interpretability(r2[:, columns], used),
            "mig": mig(info, h, chosen),
            "sap": sap(r2[:, columns], chosen),
            "scc": scc(rho[:, columns], chosen),
            "dmig": dmig(info, h, known, carries, chosen),
            "xmig": xmig(info, h, used),
            "dlig": dlig(info, h, known, used),
        }
        per_attribute = {
            names[i]: {metric: _number(column[j]) for metric, column in values.items()}
            | {"dimension": int(used[j]), "spearman": float(rho[used[j], i]), "entropy": float(entropy[i])}
            for j, i in enumerate(columns)
        }
        means = {metric: mean(column) for metric, column in values.items()}
        return means | {"per_attribute": per_attribute}

    result = measure(list(range(len(names))), None) | {"regularized": None}
    if regularized is not None:
        columns = [i for i, dimension in enumerate(regularized) if dimension is not None]
        result["regularized"] = measure(columns, np.array([regularized[i] for i in columns]))
    per_dimension = modularity(information)
    return result | {
        "modularity": float(per_dimension.mean()),
        "modularity_weighted": weighted_modularity(information),
        "modularity_by_dimension": per_dimension.tolist(),
        "mutual_information": dict(zip(names, information.T.tolist(), strict=True)),
        "n": len(z),
        "constant_dimensions": np.flatnonzero(constant).tolist(),
        "constant_attributes": [names[i] for i in np.flatnonzero(constant_attributes)],
    }


def grouped(
    latents: Any, attributes: Any, kinds: Sequence[str] | None = None, random_state: int = 0
) -> dict[str, float]:
    """GROUPED: DCI (three), FactorVAE and BetaVAE score, IRS of codes (n, d), attributes (n, k): 0 to 1 each.

    kinds: of each attribute, see `arvae.metrics.factors` (None: all continuous). The scores of groups take
    continuous attributes in tenths. random_state decides groups, forests and rows drawn.
    """
    a = np.asarray(attributes)
    names = [str(i) for i in range(a.shape[1] if a.ndim == 2 else 0)]
    z, a, _ = _checked(latents, attributes, names)
    kinds = ["continuous"] * len(names) if kinds is None else list(kinds)
    importance, informative = dci.importances(z, a, kinds, random_state)
    classes = factors.labelled(a, kinds)
    varies = bool((np.ptp(classes, axis=0) > 0).any())
    random = np.random.default_rng(random_state)
    return {
        "disentanglement": dci.disentanglement(importance),
        "completeness": dci.completeness(importance),
        "informativeness": float(informative.mean()),
        "factorvae_score": factorvae_score(z, classes, random) if varies else 0.0,
        "betavae_score": betavae_score(z, classes, random) if varies else 0.0,
        "irs": irs(z, classes),
    }


def _checked(latents: Any, attributes: Any, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    z, a, names = np.asarray(latents, dtype=np.float64), np.asarray(attributes, dtype=np.float64), list(names)
    for what, array in (("latents", z), ("attributes", a)):
        if array.ndim != 2 or array.shape[1] == 0:
            raise MetricError(f"{what} have shape {array.shape}: give two axes, (rows, columns)")
    if len(z) != len(a):
        raise MetricError(f"{len(z)} rows of latents but {len(a)} of attributes: give both of the same items")
    if len(z) < MIN_ROWS:
        raise MetricError(f"{len(z)} rows are too few: give at least {MIN_ROWS}, better thousands")
    if len(names) != a.shape[1] or len(set(names)) != len(names):
        raise MetricError(f"names {names} do not fit {a.shape[1]} columns of attributes: give distinct ones")
    for what, array in (("latents", z), ("attributes", a)):
        wrong = np.argwhere(~np.isfinite(array))
        if len(wrong):
            row, column = wrong[0].tolist()
            name = f" ({names[column]})" if what == "attributes" else ""
            raise MetricError(
                f"{what} hold {array[row, column]} in row {row}, column {column}{name} ({len(wrong)} such "
                "values): leave those rows out, or look for a model that diverged"
            )
    return z, a, names


def _regularized(
    dimensions: Mapping[str, int] | Sequence[int | None] | None, names: list[str], d: int
) -> list[int | None] | None:
    """The regularized dimension of each attribute, None where there is none at all."""
    if dimensions is None:
        return None
    if isinstance(dimensions, Mapping):
        unknown = [name for name in dimensions if name not in names]
        if unknown:
            raise MetricError(f"dimensions name {unknown}, but the attributes are {names}")
        dimensions = [dimensions.get(name) for name in names]
    regularized = [None if dimension is None else int(dimension) for dimension in dimensions]
    given = [dimension for dimension in regularized if dimension is not None]
    if len(regularized) != len(names):
        raise MetricError(f"{len(regularized)} dimensions for {len(names)} attributes: give one or None each")
    if len(set(given)) != len(given) or any(not 0 <= dimension < d for dimension in given):
        raise MetricError(f"dimensions {regularized} must be distinct and from 0 to {d - 1}")
    return regularized if given else None


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def mean(values: Iterable[float]) -> float | None:
    """The mean of what is finite; None where nothing is."""
    known = np.asarray(list(values), dtype=np.float64)
    known = known[np.isfinite(known)]
    return float(known.mean()) if len(known) else None
