"""Tables: obtained beside published, AR-VAE beside its baselines, claims with verdicts, one setup by itself.

Each table is a data frame built from the reports that `evaluation.records` wrote and the published values;
`typeset.write` gives it its three forms.
"""

from arvae.report.tables.scores import (
    Reports,
    beside_baseline,
    beside_published,
    caption,
    counts,
    differences,
    few,
    least,
    per_attribute,
    published,
    runs,
    scalars,
    spread,
    with_bounds,
)
from arvae.report.tables.setup import change_matrix, content, control

__all__ = [
    "Reports",
    "beside_baseline",
    "beside_published",
    "caption",
    "change_matrix",
    "content",
    "control",
    "counts",
    "differences",
    "few",
    "least",
    "per_attribute",
    "published",
    "runs",
    "scalars",
    "spread",
    "with_bounds",
]
