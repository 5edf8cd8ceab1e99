"""Tables: obtained beside published, AR-VAE beside its baselines, claims with verdicts, one setup by itself.

Each table is a data frame built from the reports that `compendium.records` wrote and the published values;
`typeset.write` gives it its three forms.
"""

from compendium.tables.scores import (
    Reports,
    beside_baseline,
    beside_published,
    bounds,
    caption,
    compact,
    content_curves,
    counts,
    differences,
    few,
    least,
    per_attribute,
    published,
    regularized,
    runs,
    scalars,
    spread,
    with_bounds,
    with_items,
    without,
)
from compendium.tables.setup import change_matrix, content, control, mean_codes, merged, over, realism

__all__ = [
    "Reports",
    "beside_baseline",
    "beside_published",
    "bounds",
    "caption",
    "change_matrix",
    "compact",
    "content",
    "content_curves",
    "control",
    "counts",
    "differences",
    "few",
    "least",
    "mean_codes",
    "merged",
    "over",
    "per_attribute",
    "published",
    "realism",
    "regularized",
    "runs",
    "scalars",
    "spread",
    "with_bounds",
    "with_items",
    "without",
]
