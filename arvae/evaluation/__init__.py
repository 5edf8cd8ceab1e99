"""Evaluating a setup: encode the test split, decode it again, measure.

items = pick(dataset, sizes.codes)
runs = evaluate_setup(setup, dataset, items, "data/models/mnist-arvae", params.evaluation, judge)

scores: what is computed for each run; control: what turning a dimension changes; content: what stays;
targets: is a wished value reached; realism: whether outputs look like the data; bounds: what a score can be
at least and at most; judge: the classifier that reads digits.
"""

from arvae.evaluation.bounds import limits
from arvae.evaluation.scores import EvaluationError, Items, encoded, evaluate_setup, pick

__all__ = ["EvaluationError", "Items", "encoded", "evaluate_setup", "limits", "pick"]
