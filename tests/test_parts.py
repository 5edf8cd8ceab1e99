"""Parts of the package for those who want a part: what each may import."""

import subprocess
import sys

import pytest

from arvae import paths

ROOT = paths.root(__file__)
BLOCK = """
import importlib.abc, sys

class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {refused!r}:
            raise ModuleNotFoundError(f"not here: {{name}}", name=name)

sys.meta_path.insert(0, Refuse())
"""
METRICS = """
import numpy
from arvae import metrics
z = numpy.random.default_rng(0).normal(size=(200, 3))
print(metrics.evaluate(z, z[:, :2], ["a", "b"], [0, 1])["scc"] > 0.99)
"""
LOSSES = """
import torch
from arvae import losses
a = torch.arange(8.0)[:, None]
print(losses.attribute_regularization(a, a, 100.0).item() < 0.01)
"""
OTHERS = {
    "pandas", "pydantic", "ruamel", "matplotlib", "seaborn", "skimage", "numba", "safetensors", "psutil",
    "music21", "mido", "papermill", "nbformat", "requests", "bs4", "IPython", "dvc",
}  # fmt: skip


@pytest.mark.parametrize(
    ("code", "refused"),
    [(METRICS, OTHERS | {"torch"}), (LOSSES, OTHERS | {"scipy", "sklearn", "joblib"})],
    ids=["metrics", "losses"],
)
def test_a_part_works_with_its_own_libraries_only(code, refused):
    code = BLOCK.format(refused=refused) + code
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "True\n", done.stderr
