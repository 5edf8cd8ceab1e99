"""The studies' tables: all baselines side by side, the grid of gamma and delta; failed runs too."""

import json
import re

import numpy as np
import pandas as pd
import pytest
import torch

from arvae import evaluation, models, params
from arvae.files import write_json
from arvae.paths import root
from arvae.training import Run
from arvae.training.checkpoints import write_tensors
from arvae.training.runs import describe
from compendium import labels, tables
from compendium.figures import metrics, style
from compendium.tables import baselines, claims, study, typeset
from tests.small import music_dataset, small_setup, sprites_dataset

MUSICAL = ("rhythmic complexity", "pitch range", "note density", "contour")
NAMES = {"dsprites": ("scale", "x"), "mnist": ("area", "slant")}
NAMES |= dict.fromkeys(("bach", "bach-power", "folk", "folk-own"), MUSICAL)
TIED = {
    "arvae": MUSICAL + NAMES["mnist"] + NAMES["dsprites"],
    "glsr": ("rhythmic complexity", "note density"),
}


def report(dataset, model, level, seeds=(0, 1)):
    """A report as `records.write` lays it out, all of whose scores lie about `level`."""
    runs = {}
    for seed in seeds:
        value = level + 0.001 * seed
        values = {name: value for name in ("interpretability", "mig", "sap", "scc", "monotonicity")}
        values |= {"modularity": 0.8, "dmig": None, "range_covered": value, "selectivity": value}
        values |= {"monotonicity_either_way": abs(value), "target_hit": value}
        values["side_change_beyond_observed"] = value
        values |= {"reconstruction_accuracy": 0.9 + value / 100, "content_traversed": value}
        names = NAMES[dataset]
        one = {"dimension": 1, "scc": value, "interpretability": value}
        tied = {name: one for name in names if name in TIED.get(model, ())}
        turned = {
            name: {
                "monotonicity": value,
                "monotonicity_either_way": value,
                "range_covered": value,
                "selectivity": value,
            }
            for name in names
        }
        runs[f"seed{seed}"] = values | {
            "seed": seed,
            "details": {
                "per_attribute": {name: one for name in names},
                "regularized": {"per_attribute": tied} if tied else None,
                "controllability": {"fixed": {"per_attribute": turned}},
                "content_curve": [{"range_covered": at, "content": value} for at in (0.2, 0.5)],
            },
        }
    return {
        "scale": "smoke", "dataset": dataset, "model": model, "seeds": list(seeds), "runs": runs,
        "attributes": list(NAMES[dataset]),
        "provenance": {"epochs": 0.7, "train_size": 1234, "data_source": "drawn", "test_codes": 99,
                       "device": "cpu", "precision": "bfloat16"},
    }  # fmt: skip


LEVELS = {"betavae": 0.3, "betavae1": 0.5, "arvae": 0.9, "fader": 0.2, "glsr": 0.6}


@pytest.fixture(scope="module")
def reports():
    setups = [(d, m) for d in ("dsprites", "mnist") for m in ("betavae", "betavae1", "arvae", "fader")]
    setups += [(d, m) for d in ("bach", "folk") for m in ("betavae", "arvae", "glsr")]
    return {f"{d}-{m}": report(d, m, LEVELS[m]) for d, m in setups}


def test_all_models_stand_side_by_side(reports):
    spread = tables.spread(baselines.scores(reports), tables.published(root(__file__)))
    images = baselines.side_by_side(spread, "mnist").set_index("metric")
    assert list(images.columns) == ["betavae", "betavae1", "arvae", "fader"]
    assert images.loc["interpretability", "arvae"].startswith("0.900, 0.901 [0.8")  # run 0
    assert images.loc["interpretability", "fader"] == "0.200, 0.201"  # nothing was published
    assert "dmig" not in images.index  # undefined in every run
    music = baselines.side_by_side(spread, "bach")
    assert list(music.columns) == ["metric", "betavae", "arvae", "glsr"]
    assert set(spread.runs) == {2}


def test_a_model_without_some_metric_and_a_single_run_break_nothing(reports, tmp_path):
    some = dict(reports)
    some["mnist-fader"] = report("mnist", "fader", 0.2, seeds=(1,))
    for run in some["mnist-fader"]["runs"].values():
        run["selectivity"] = None
        run["details"]["controllability"]["fixed"] = None
    ours, theirs = baselines.scores(some), tables.published(root(__file__))
    table = baselines.side_by_side(tables.spread(ours, theirs), "mnist").set_index("metric")
    assert table.loc["selectivity", "fader"] == "–" and table.loc["scc", "fader"] == "0.201"
    verdicts = claims.check(some, claims.BASELINES).set_index("claim").verdict
    assert (
        verdicts.filter(like="selectivity").item()
        == "same direction in every run on dSprites; not run on MNIST"
    )
    for name, one in (("a", table.reset_index()), ("b", baselines.trade(some, {}))):
        assert all(path.stat().st_size for path in typeset.write(one, tmp_path, name, "About"))
    metrics.boxes(ours, theirs)


def test_one_table_says_what_arvae_buys_over_every_setup_and_what_it_costs():
    """Every setup of params.yaml on the baselines' data sets has its row."""
    known = params.load(root(__file__) / "params.yaml")
    setups = known.setups | known.study_setups
    pairs = {(one.dataset, one.model) for one in setups.values() if one.dataset in NAMES}
    pairs |= {(one.dataset, "direction") for one in known.directions.values()}
    every = {f"{d}-{m}": report(d, m, LEVELS.get(m, 0.4)) for d, m in sorted(pairs)}
    every["mnist-value"] = report("mnist", "value", 0.4, seeds=(1,))
    tried = {setup.name.removesuffix("-tuning"): len(settings) for setup, settings in known.tuning()}
    table = baselines.trade(every, tried)
    rows = table.set_index(["data set", "baseline"])
    wanted = {(d, labels.model_label(m)) for d, m in pairs if m != "arvae"}
    assert wanted | {(d, "GLSR-VAE, its own attributes") for d in ("bach", "folk")} == set(rows.index)
    kept = "content kept at equal range (points)"
    assert {"targets reached", "others kept", "reconstruction (points)", kept} <= set(rows)
    fair = rows.loc["mnist", "β-VAE (β = 1)"]
    assert fair.runs == 2 and fair.interpretability == fair.SCC == "+0.40, +0.40"
    assert fair["others kept"] == "\N{MINUS SIGN}0.40, \N{MINUS SIGN}0.40"  # they move more
    assert fair[kept] == "+40.0, +40.0" and fair["reconstruction (points)"] == "+0.4, +0.4"
    one = rows.loc["mnist", "Value-based"]
    assert one.runs == 1 and one.SCC == "+0.50" and one["weights tried"] == 3
    own = rows.loc["bach", "GLSR-VAE, its own attributes"]
    assert own.SCC == "+0.30, +0.30" and own["targets reached"] == "–"
    many = every | {f"folk-{m}": report("folk", m, LEVELS[m], (0, 1, 2)) for m in ("betavae", "arvae")}
    text = baselines.trade(many, {}).set_index(["data set", "baseline"]).loc["folk", "β-VAE"].SCC
    assert text == "+0.60 (+0.60 to +0.60)"
    assert baselines.trade({"bach-glsr": report("bach", "glsr", 0.1)}, {}).empty


def test_claims_about_baselines_follow_from_numbers(reports):
    verdicts = claims.check(reports, claims.BASELINES).set_index("claim").verdict
    agree = ["same direction in every run", "within the limit in every run"]
    assert len(verdicts) == len(claims.BASELINES) and verdicts.isin(agree).all()
    turned = reports | {
        f"{dataset}-{model}": report(dataset, model, level)
        for model, level in (("fader", 0.95), ("glsr", 0.95))
        for dataset in (("bach", "folk") if model == "glsr" else ("dsprites", "mnist"))
    }
    table = claims.check(turned, claims.BASELINES).set_index("claim")
    assert table.verdict[table.about == "GLSR-VAE"].str.startswith("opposite").all()
    assert table.verdict.filter(like="hides the attributes").item().startswith("opposite")
    without = {name: one for name, one in reports.items() if not name.endswith(("fader", "betavae1", "glsr"))}
    assert claims.check(without, claims.BASELINES).verdict.str.contains("not run").all()


# ------------------------------------------------------------------ every model, evaluated


@pytest.mark.parametrize("objective", ["fader", "glsr"])
def test_other_models_get_all_metrics(objective, tmp_path):
    data = sprites_dataset() if objective == "fader" else music_dataset()
    setup = small_setup(data.name, "arvae")
    setup = setup.model_copy(
        update={"hyperparameters": setup.hyperparameters.model_copy(update={"objective": objective})}
    )
    build = {"vocabulary_size": data.vocabulary.size if data.vocabulary else None, "image_size": None}
    network = models.build(setup, generator=torch.Generator().manual_seed(0), **build)
    if objective == "fader":
        network.fit_attributes(torch.from_numpy(data.train.attributes))
    leave(tmp_path, setup, network, build, Run("seed0", 0))
    sizes = params.EvaluationSizes(codes=60, traversal_items=3, traversal_points=4)
    runs = evaluation.evaluate_setup(
        setup, data, evaluation.pick(data, 60), tmp_path, sizes, log=lambda _: None
    )
    result = runs[0].result
    for name in ("interpretability", "mig", "sap", "scc", "modularity", "monotonicity", "content_traversed"):
        assert result[name] is not None
    assert (result["latent_density_ratio"] is None) == (objective == "fader")
    tied = result["details"]["regularized"]
    assert tied is None if objective == "fader" else len(tied["per_attribute"]) == 2
    json.dumps(result)


# ------------------------------------------------------------------ the grid


def leave(folder, setup, network, build, *runs, failed=()):
    """A trained setup as the engine leaves it; the runs in `failed` have no weights."""
    rows = []
    for run in runs:
        lost = run.name in failed
        if not lost:
            record = {"setup": describe(setup, run), "build": build}
            write_tensors(folder / f"{run.name}.safetensors", network.state_dict(), record)
        rows.append(
            {"name": run.name, "seed": run.seed, "overrides": run.overrides, "steps": 4,
             "status": "failed" if lost else "finished", "message": "diverged: NaN" if lost else "",
             "seconds": 1.0, "device": "cpu", "precision": "float32"}
        )  # fmt: skip
    write_json(folder / "runs.json", rows)


def test_every_setting_is_measured_and_a_failed_one_is_shown_as_such(tmp_path):
    data, setup = sprites_dataset(), small_setup("dsprites", "arvae")
    runs = [Run(f"gamma{gamma:g}", 0, {"gamma": gamma, "delta": 1.0}) for gamma in (0.1, 1.0, 100.0)]
    network = models.build(setup, generator=torch.Generator().manual_seed(0))
    leave(
        tmp_path, setup, network, {"vocabulary_size": None, "image_size": None}, *runs, failed=("gamma100",)
    )
    ours = study.measure(setup, data, evaluation.pick(data, 60), tmp_path, log=lambda _: None)
    assert list(ours.gamma) == [0.1, 1.0, 100.0] and list(ours.status) == ["finished"] * 2 + ["failed"]
    values = ours[list(study.MEASURED)].drop(columns="dmig")
    assert values[:2].notna().all(axis=None) and values[2:].isna().all(axis=None)
    assert ours.reconstruction_accuracy_percent[:2].between(0, 100).all()
    assert "γ = 100, δ = 1: diverged: NaN" in study.failures(ours)
    assert len(study.finished(ours)) == 2
    assert "All 2 settings" in study.failures(study.finished(ours))


def test_the_record_of_a_tuning_says_what_was_tried_and_which_is_used(tmp_path):
    data, setup = sprites_dataset(), small_setup("dsprites", "betavae")
    runs = [Run(f"beta{beta:g}", 0, {"beta": beta, "gamma": 0.0}) for beta in (1.0, 4.0, 16.0)]
    network = models.build(setup, generator=torch.Generator().manual_seed(0))
    leave(tmp_path, setup, network, {"vocabulary_size": None, "image_size": None}, *runs, failed=("beta16",))
    ours = study.measure(setup, data, evaluation.pick(data, 60), tmp_path, log=lambda _: None)
    record = study.tried(ours, setup)
    assert list(record.setting) == [f"beta {beta}, gamma 0" for beta in (1, 4, 16)]
    assert list(record.used) == [False, True, False] and set(record.tuned) == {"β-VAE, dSprites"}
    assert list(record.status) == ["finished", "finished", "diverged: NaN"]
    assert record[list(study.TRIED)].notna().all(axis=1).tolist() == [True, True, False]
    assert "at beta" not in study.caption("A", setup, data, 60, ours)


def test_a_grid_of_failures_only_has_the_columns_all_the_same(tmp_path):
    data, setup = sprites_dataset(), small_setup("dsprites", "arvae")
    run = Run("gamma1", 0, {"gamma": 1.0, "delta": 1.0})
    leave(tmp_path, setup, None, {}, run, failed=("gamma1",))
    ours = study.measure(setup, data, evaluation.pick(data, 60), tmp_path, log=lambda _: None)
    assert set(study.MEASURED) <= set(ours.columns) and study.finished(ours).empty


def grid(gammas, deltas, interpretability, accuracy):
    rows = [
        (g, d, "finished", "", interpretability(i, j), accuracy(i, j))
        for i, g in enumerate(gammas)
        for j, d in enumerate(deltas)
    ]
    columns = ["gamma", "delta", "status", "message", "interpretability", "reconstruction_accuracy_percent"]
    return pd.DataFrame(rows, columns=columns)


@pytest.fixture
def ours():
    return grid(
        [0.1, 1, 10, 100], [0.1, 1, 10], lambda i, j: 0.4 + 0.1 * i + 0.01 * (j == 1), lambda i, j: 97 - i
    )


def test_trends_are_computed(ours):
    theirs = study.published(root(__file__))
    table = study.trends(ours, theirs)
    assert len(table) == 2 * 2 * 3
    found = table.set_index(["raised", "metric", "of"])
    up = found.loc["γ", "interpretability", "ours"]
    assert up.trend == "rises" and up["rank correlation"] == pytest.approx(1) and up.curves == 3
    assert up["at lowest"] == pytest.approx(0.4 + 0.01 / 3)
    assert found.loc["γ", "reconstruction_accuracy_percent", "ours"].trend == "falls"
    assert found.loc["δ", "interpretability", "ours"].trend == "no clear trend"
    assert found.loc["γ", "interpretability", "published, all"].trend == "rises"


def test_few_settings_have_no_trend():
    few = grid([1, 10], [1], lambda i, j: 0.5 + i, lambda i, j: 90 + i)
    table = study.trends(few, study.published(root(__file__)))
    assert set(table.trend[table.of == "ours"]) == {"too few settings"}


def test_settings_stand_beside_the_published_ones(ours):
    theirs = study.published(root(__file__))
    ours.loc[ours.gamma == 10, ["status", *study.VALUES]] = ["failed", np.nan, np.nan]
    ours = pd.concat([ours, grid([7], [3], lambda i, j: 0.5, lambda i, j: 90)], ignore_index=True)
    table = study.beside_published(ours, theirs)
    assert len(table) == 2 * (35 + 1)
    verdicts = table.set_index(["metric", "gamma", "delta"]).verdict
    assert verdicts["interpretability", 0.01, 0.01] == "not run"
    assert verdicts["interpretability", 10, 1] == "failed"
    assert verdicts["interpretability", 7, 3] == "not published"
    near = verdicts["reconstruction_accuracy_percent", 0.1, 0.1]
    assert near == "near"  # 97 beside 97.162
    assert verdicts["reconstruction_accuracy_percent", 100, 1] == "below"
    assert len(study.same_settings(theirs, study.finished(ours))) == 9


def test_what_is_written_shows_settings_as_they_are(ours, tmp_path):
    table = study.beside_published(ours, study.published(root(__file__)))
    paths = typeset.write(table, tmp_path, "published-hyperparameters", "Settings")
    row = "| Interpretability | 0.1 | 10 | 0.400 | 0.479 | \N{MINUS SIGN}0.079 | below |"
    assert row in re.sub(" +", " ", paths[1].read_text(encoding="utf-8"))


def test_the_study_s_caption_says_what_its_numbers_rest_on():
    setup, settings = params.load(root(__file__) / "params.yaml").grid()
    told = study.varied(setup, settings)
    assert told.startswith("vae: beta 1, gamma ") and told.endswith(f"{len(settings)} settings")
    text = study.caption("Settings", small_setup("dsprites", "arvae"), sprites_dataset(), 60)
    for word in (
        "dSprites at beta 1",
        "seed 0",
        "2 epochs of 256",
        "source: drawn",
        "60 test codes",
        "float32",
    ):
        assert word in text


def test_figures_of_a_grid_with_a_hole_and_of_one_setting(ours):
    theirs = study.published(root(__file__))
    style.use()
    holed = ours.drop(index=4)
    metrics.hyperparameter_scatter(holed, study.same_settings(theirs, holed), study.BASELINE)
    metrics.hyperparameter_map(holed, study.same_settings(theirs, holed))
    metrics.hyperparameter_map(ours[:1], theirs)


def test_rows_that_say_the_same_are_one():
    table = pd.DataFrame({"moved": ["a", "b", "c"], "x": [1.0, 2.0, 1.0], "y": [np.nan, 0.5, np.nan]})
    assert tables.merged(table).moved.tolist() == ["a, c", "b"]
    assert tables.merged(table.assign(x=[1.0, 2.0, 3.0])).equals(table.assign(x=[1.0, 2.0, 3.0]))


def test_scores_along_the_regularized_dimension_stand_only_where_they_are_others():
    runs = {"seed0": {"scc": 0.5, "scc_regularized": 0.5, "mig": 0.3, "mig_regularized": 0.3}}
    runs["seed1"] = runs["seed0"] | {"mig_regularized": 0.1}
    found = tables.regularized(
        {"mnist-arvae": {"dataset": "mnist", "model": "arvae", "runs": runs}}, ["scc", "mig"]
    )
    assert found[["metric", "run"]].values.tolist() == [
        ["mig_regularized", "seed0"],
        ["mig_regularized", "seed1"],
    ]
