"""The same parameters give the same bytes: in another clone, and within a tolerance on other threads."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch

from arvae import metrics
from arvae.datasets.contract import Dataset
from arvae.trained import TrainedModel
from arvae.training import Run, load_model
from tests.conftest import dvc, pictures, results, run
from tests.small import music_dataset, small_setup
from tests.test_training import data, small  # noqa: F401 (a fixture)
from tests.test_training import run as run_training


@pytest.mark.slow
def test_two_fresh_clones_give_the_same_bytes(smoke_run, tmp_path):
    """Every stage, at another path: all but times (conftest.TIMED); notebooks, pages and lock too."""
    clone = tmp_path / "elsewhere" / "another clone"
    run(tmp_path, "git", "clone", "--quiet", str(smoke_run), str(clone))
    if (smoke_run / "data" / "raw").is_dir():
        run(tmp_path, "cp", "-r", str(smoke_run / "data" / "raw"), str(clone / "data" / "raw"))
    dvc(clone, "repro")
    first = json.loads((smoke_run.parent / "hashes.json").read_text())
    second = results(clone) | (shown := pictures(clone))
    for kind in ("reports/metrics/", "reports/tables/", "reports/scores/", "data/models/", "data/codes/"):
        assert any(name.startswith(kind) for name in second), f"nothing in {kind}"
    assert sum(name.endswith(".png") for name in second) > 30 and len(shown) > 30
    expected = ("playground.html", "index.html", "pages/results.html", "notebooks/train-mnist-arvae.ipynb")
    assert {"dvc.lock", *(f"reports/{name}" for name in expected)} <= second.keys()
    differing = sorted(name for name in first | second if first.get(name) != second.get(name))
    assert differing == []


@pytest.mark.slow
def test_a_second_clone_pulls_all_results_and_has_nothing_to_do(smoke_run, tmp_path):
    """Through a folder as DVC remote: prepared data, weights and codes; the rest comes with git."""
    first, second = tmp_path / "first", tmp_path / "second"
    shutil.copytree(smoke_run, first, symlinks=True)
    dvc(first, "remote", "add", "--default", "store", str(tmp_path / "store"))
    dvc(first, "push")
    run(first, "git", "add", "--all")
    run(first, "git", "-c", "user.name=test", "-c", "user.email=test@example.org", "commit", "-qm", "results")
    run(tmp_path, "git", "clone", "--quiet", str(first), str(second))
    dvc(second, "pull", "--allow-missing")  # the studies were not run
    assert "Running stage" not in dvc(second, "repro").stdout
    assert not run(second, "git", "status", "--porcelain").stdout
    assert list((second / "data" / "models" / "mnist-arvae").glob("*.safetensors"))


def melodies(threads):
    """The bach AR-VAE with a small network: eight steps of 64 measures."""
    setup = small_setup("bach", "arvae")
    engine = setup.engine.model_copy(update={"workers": 1, "threads": threads})
    shape = {"hidden": 32, "dense": 32}
    architecture = setup.architecture.model_copy(update=shape)
    return setup.model_copy(update={"engine": engine, "architecture": architecture, "batch_size": 64})


@pytest.mark.parametrize("kind", ["images", pytest.param("music", marks=pytest.mark.slow)])
def test_threads_change_weights_and_metrics_by_rounding_only(kind, data, tmp_path):  # noqa: F811
    """Sums in another order: not the same to the bit. After two epochs the weights agree to 1e-3 of their
    size, and every metric to 0.02, which is less than two seeds differ by."""
    if kind == "music":
        data = tmp_path / "bach"
        music_dataset().save(data)
    dataset = Dataset.load(data)
    dataset = dataclasses.replace(dataset, test=dataset.train)  # more codes than its test split has
    attributes = np.asarray(dataset.test.attributes, dtype=np.float64)
    weights, scores = [], []
    for threads in (1, 2):
        where = tmp_path / str(threads)
        where.mkdir()
        before = torch.get_num_threads()
        setup = small(2.0, threads=threads) if kind == "images" else melodies(threads)
        run_training(setup, data, where, Run("seed0", 0))
        assert torch.get_num_threads() == before  # and the caller's own count is left as it was
        model = load_model(where / "models", "seed0")
        weights.append(np.concatenate([tensor.numpy().ravel() for tensor in model.state_dict().values()]))
        model = TrainedModel.of(setup, "seed0", model, dataset)
        z, _ = model.test_codes(dataset, len(attributes))
        names = [f"a{i}" for i in range(attributes.shape[1])]
        scores.append(metrics.evaluate(z, attributes, names, workers=1))
    assert np.linalg.norm(weights[0] - weights[1]) < 1e-3 * np.linalg.norm(weights[0])
    for name in ("interpretability", "mig", "modularity", "sap", "scc"):
        assert scores[0][name] == pytest.approx(scores[1][name], abs=0.02), name


def test_a_setting_that_is_no_hyperparameter_changes_no_byte(data, tmp_path):  # noqa: F811
    """Two runs, each in a folder of its own, with other workers and checkpoints: the same file."""
    contents = []
    for name, engine in {"a": {}, "b": {"workers": 1, "checkpoint_seconds": 0.01}}.items():
        where = tmp_path / name
        where.mkdir()
        (result,) = run_training(small(1.0, **engine), data, where)
        contents.append(result.weights.read_bytes())
        assert dataclasses.asdict(result)["status"] == "finished"
    assert contents[0] == contents[1]
