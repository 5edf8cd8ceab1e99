"""The evaluation of trained setups, small but real, and the tables and claims made from it."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from arvae import evaluation, models, params, training
from arvae.datasets import dsprites
from arvae.datasets.contract import Dataset
from arvae.files import read_json, write_json
from arvae.metrics import METRICS
from arvae.music import coding as music
from arvae.params import EvaluationSizes, ParamsError
from arvae.paths import root
from arvae.training.checkpoints import write_tensors
from arvae.training.runs import describe
from compendium import labels, records, tables
from compendium.figures import metrics
from compendium.tables import checklist, claims, scores, study, summary, typeset
from tests.small import music_dataset, small_setup, sprites_dataset

SIZES = EvaluationSizes(codes=60, traversal_items=3, traversal_points=4)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with three setups, AR-VAE and beta-VAE on sprites, one of music, as training leaves them.

    Their weights are fresh ones: what is tested is the evaluation, which has to work on any.
    """
    home = tmp_path_factory.mktemp("home")
    for dataset, model in (("dsprites", "arvae"), ("dsprites", "betavae"), ("bach", "arvae")):
        folder = home / "data" / "prepared" / dataset
        if not folder.exists():
            (sprites_dataset() if dataset == "dsprites" else music_dataset()).save(folder)
        leave_runs(home, setup_of(dataset, model))
    return home


def setup_of(dataset, model):
    """AR-VAE on sprites with two runs, else one: what runs have in common is tested on those two."""
    setup = small_setup(dataset, model)
    return setup if setup.name == "dsprites-arvae" else setup.model_copy(update={"seeds": (0,)})


def leave_runs(home, setup):
    folder = home / "data" / "models" / setup.name
    build = {
        "vocabulary_size": music.Vocabulary().size if setup.kind == "music" else None,
        "image_size": None,
    }
    rows = []
    for run in training.runs_of(setup):
        network = models.build(setup, generator=torch.Generator().manual_seed(run.seed), **build)
        record = {"setup": describe(setup, run), "build": build}
        write_tensors(folder / f"{run.name}.safetensors", network.state_dict(), record)
        rows.append(
            {"name": run.name, "seed": run.seed, "status": "finished", "message": "", "steps": 4,
             "device": "cpu", "precision": "float32"}
        )  # fmt: skip
    write_json(folder / "runs.json", rows)


def evaluated(home, dataset, model):
    setup = setup_of(dataset, model)
    data = Dataset.load(home / "data" / "prepared" / dataset)
    items = evaluation.pick(data, SIZES.codes)
    folder = home / "data" / "models" / setup.name
    runs = evaluation.evaluate_setup(setup, data, items, folder, SIZES, log=lambda line: None)
    bounds = evaluation.limits(setup, data, items) if model == "arvae" else None  # as 4_evaluate does
    return records.write(setup, data, items, runs, home, bounds), runs, items, data


@pytest.fixture(scope="module")
def sprites_arvae(home):
    return evaluated(home, "dsprites", "arvae")


def test_items_are_a_fixed_shuffle_of_the_test_split():
    data = sprites_dataset()
    items, fewer = evaluation.pick(data, 60), evaluation.pick(data, 20)
    assert len(items.index) == 60 == len(set(items.index))
    np.testing.assert_array_equal(fewer.index, items.index[:20])
    np.testing.assert_array_equal(items.attributes, data.test.attributes[items.index])
    assert items.x.dtype == np.uint8 and set(np.unique(items.x)) == {0, 255}
    assert len(evaluation.pick(data, 1000).index) == 80


def test_report_holds_runs_spread_and_provenance(sprites_arvae, home):
    report, runs, items, _ = sprites_arvae
    assert read_json(home / "reports" / "metrics" / "dsprites-arvae.json") == json.loads(json.dumps(report))
    assert list(report["runs"]) == ["seed0", "seed1"] and report["seeds"] == [0, 1]
    for metric in (*METRICS, "reconstruction_accuracy", "monotonicity", "content_traversed"):
        values = [report["runs"][name][metric] for name in ("seed0", "seed1")]
        assert report["mean"][metric] == pytest.approx(np.mean(values))
        assert report["std"][metric] is report["confidence_95"][metric] is None  # of two runs
    source = report["provenance"]
    assert source["data_source"] == "drawn" and source["steps"] == 4 and source["train_size"] == 256
    assert source["test_codes"] == 60 and source["device"] == "cpu"
    scores = read_json(home / "reports" / "scores" / "dsprites-arvae.json")
    assert scores["scc"] == report["mean"]["scc"]
    with np.load(home / "data" / "codes" / "dsprites-arvae.npz", allow_pickle=False) as codes:
        np.testing.assert_array_equal(codes["z_seed0"], runs[0].z)
        np.testing.assert_array_equal(codes["index"], items.index)
        assert codes["mean_seed1"].shape == codes["z_seed1"].shape == (60, 10)


def test_both_conventions_are_reported(sprites_arvae, home):
    report = sprites_arvae[0]
    tied = report["runs"]["seed0"]["details"]["regularized"]["per_attribute"]
    assert [tied[name]["dimension"] for name in dsprites.NAMES] == [1, 2, 3, 4, 5]
    assert "interpretability_regularized" in report["mean"]
    baseline = evaluated(home, "dsprites", "betavae")[0]
    assert baseline["runs"]["seed0"]["details"]["regularized"] is None
    assert "interpretability_regularized" not in baseline["mean"]
    assert baseline["runs"]["seed0"]["monotonicity"] is not None
    grouped = report["runs"]["seed0"]["details"]["grouped"]
    assert 0 <= grouped["sampled"]["orientation_circular"] <= 1 and grouped["mean"]["scc"] is not None


def test_evaluation_repeats_exactly(sprites_arvae, home):
    assert evaluated(home, "dsprites", "arvae")[0] == sprites_arvae[0]


def test_codes_are_sampled_around_their_means(sprites_arvae):
    _, runs, _, _ = sprites_arvae
    run = runs[0]
    assert run.z.dtype == np.float32 and not np.array_equal(run.z, run.mean)
    noise = [one.z - one.mean for one in runs]
    assert abs(noise[0].mean()) < 0.2 and 0.3 < noise[0].std() < 3
    assert not np.array_equal(noise[0], noise[1])  # same draws, other standard deviations


def test_music_is_evaluated(home):
    report, runs, items, data = evaluated(home, "bach", "arvae")
    assert runs[0].reconstructions.shape == (60, 24) and runs[0].reconstructions.dtype == np.int16
    assert 0 <= report["mean"]["reconstruction_accuracy"] <= 1
    kept = report["runs"]["seed0"]["details"]["content"]
    assert kept["what"] == "pitches" and set(kept["per_attribute"]) == set(music.ATTRIBUTE_NAMES)
    assert report["mean"]["latent_density_ratio"] is not None
    for name in ("measures_right_unseen", "notes_right", "target_hit", "side_change_beyond_observed", "irs",
                 "log_likelihood_observed", "monotonicity_gamma", "latent_density_plausible"):  # fmt: skip
        assert report["mean"][name] is not None, name
    assert report["bounds"]["floor"]["reconstruction_accuracy"] > report["bounds"]["floor"]["notes_right"]


def test_untrained_setups_are_named(tmp_path):
    setup = small_setup("dsprites", "arvae")
    with pytest.raises(evaluation.EvaluationError, match="dvc repro train@"):
        evaluation.evaluate_setup(setup, sprites_dataset(), None, tmp_path / "x", SIZES)
    (tmp_path / "runs.json").write_text('[{"name": "seed0", "status": "failed"}]')
    with pytest.raises(evaluation.EvaluationError, match="no finished run"):
        evaluation.evaluate_setup(setup, sprites_dataset(), None, tmp_path, SIZES)


def test_unknown_setups_are_refused():
    with pytest.raises(ParamsError):
        params.load(root(__file__) / "params.yaml").setup("dsprites", "nothing")


# ------------------------------------------------------------------ tables and claims, from made-up reports


def report(dataset, model, seeds=(0, 1), **scalars):
    """A report with runs whose values differ a little, as `records.write` lays it out."""
    runs = {}
    for seed in seeds:
        values = {name: value + 0.001 * seed for name, value in scalars.items()}
        chosen = {"a": {"dimension": 1, "scc": 0.9}, "b": {"dimension": 2 + seed, "scc": 0.8}}
        tied = {"per_attribute": {"a": {"dimension": 1}, "b": {"dimension": 2}}} if model == "arvae" else None
        details = {"per_attribute": chosen, "regularized": tied, "controllability": {"fixed": None}}
        runs[f"seed{seed}"] = values | {"seed": seed, "details": details}
    return {
        "scale": "smoke", "dataset": dataset, "model": model, "seeds": list(seeds), "runs": runs,
        "attributes": ["a", "b"],
        "provenance": {"epochs": 0.7, "train_size": 1234, "data_source": "drawn", "test_codes": 99,
                       "device": "cpu", "precision": "bfloat16"},
    }  # fmt: skip


def scalars_of(high):
    return {
        "interpretability": high, "mig": high / 2, "modularity": 0.8, "sap": high / 3, "scc": high,
        "reconstruction_accuracy": 0.9 + high / 100, "content_reconstructed": high,
        "content_traversed": high / 2, "monotonicity": high, "digit_accuracy_reconstructed": high,
        "digit_accuracy_interpolated": high / 2,
        "content_reconstructed_relative": high, "content_traversed_relative": high / 2,
        "monotonicity_either_way": high,
    }  # fmt: skip


@pytest.fixture(scope="module")
def reports():
    setups = [(d, m) for d in labels.DATASETS for m in ("betavae", "arvae")]
    return {f"{d}-{m}": report(d, m, **scalars_of(0.9 if m == "arvae" else 0.3)) for d, m in setups}


def test_every_published_number_has_a_row(reports):
    theirs = tables.published(root(__file__))
    table = tables.beside_published(tables.runs(reports), theirs)
    assert len(table) == len(theirs.groupby(["metric", "dataset", "model"])) == 52 + 4  # four relative ones
    row = table[(table.metric == "scc") & (table["data set"] == "mnist") & (table.model == "arvae")].iloc[0]
    first = theirs[(theirs.metric == "scc") & (theirs.dataset == "mnist") & (theirs.model == "arvae")]
    assert row.published == first[first.point == 0].value.item()
    assert (row["published low"], row["published high"]) == (first.value.min(), first.value.max())
    assert np.isnan(row.obtained) and row.verdict == "below" and row.runs == 2  # two runs: no mean
    assert row["each run"] == "0.900, 0.901" and np.isnan(row["95 % low"])
    assert row["outside by"] == pytest.approx(0.9 - first.value.min())
    inside = tables.beside_published(
        tables.runs({"mnist-arvae": report("mnist", "arvae", scc=row.published)}), theirs
    )
    assert inside.set_index(["metric", "data set", "model"])["outside by"]["scc", "mnist", "arvae"] == 0
    percent = table[table.metric == "reconstruction_accuracy_percent"]["each run"].str.split(", ").explode()
    assert percent.astype(float).between(90, 92).all()
    relative = table[table.metric == "digit_accuracy_reconstructed_relative_percent"].published
    absolute = table[table.metric == "digit_accuracy_reconstructed_percent"].published
    np.testing.assert_allclose(relative, absolute / 0.9615)


def test_missing_cells_are_said_to_be_missing(reports):
    some = {name: one for name, one in reports.items() if name.startswith("mnist")}
    table = tables.beside_published(tables.runs(some), tables.published(root(__file__)))
    assert len(table) == 56 and (table.verdict == "not run").sum() == 56 - 20


def test_claims_follow_from_numbers(reports):
    table = claims.check(reports, claims.PAPER).set_index("claim")
    assert len(table) <= 10
    verdicts, order = table.verdict, "interpretability and SCC than β-VAE"
    assert verdicts.filter(like=order).item() == "same direction in every run"
    assert verdicts.filter(like="Modularity").item() == "within the limit in every run"
    assert verdicts.filter(like="On music").item() == "opposite direction in every run"
    assert "+0.600, +0.600" in table.evidence.filter(like=order).item()
    tested = table[table.verdict != "not run"]  # here no model is said to have AR-VAE's own β
    assert len(tested) == len(table) - 3 and (tested.runs == "2").all() and (table.p == "–").all()
    without = {name: one for name, one in reports.items() if not name.startswith("folk")}
    lacking = claims.check(without, claims.PAPER).verdict
    assert (
        lacking[0] == "same direction in every run on dSprites, MNIST, Bach chorales; not run on Folk tunes"
    )


def test_runs_of_equal_seeds_are_compared(reports):
    mixed = dict(reports)
    mixed["folk-betavae"] = report("folk", "betavae", **scalars_of(0.95))
    verdicts = claims.check(mixed, claims.PAPER).set_index("claim").verdict
    assert verdicts.filter(like="SAP").item() == "mixed over data sets"
    mixed["folk-betavae"]["runs"]["seed0"] |= scalars_of(0.3)
    verdicts = claims.check(mixed, claims.PAPER).set_index("claim").verdict
    assert verdicts.filter(like="SAP").item() == "mixed over runs"


def test_data_sets_with_too_few_runs_do_not_keep_the_others_from_a_verdict(reports):
    more = {
        name: report(one["dataset"], one["model"], (0, 1, 2), **scalars_of(0.9 if "arvae" in name else 0.3))
        for name, one in reports.items()
        if one["dataset"] in labels.MUSIC
    }
    row = claims.check(reports | more, claims.PAPER).iloc[0]
    assert row.verdict == (
        "holds on Bach chorales, Folk tunes; same direction in every run on dSprites, MNIST"
    )
    assert row.runs == "2, 2, 3, 3" and row.p == f"{2 / 2**6:.3g}"


def test_verdicts_are_counted_by_what_they_are_where_runs_are_enough():
    found = ["holds", "holds in part (2 of 4)", "same direction (one run each)", "holds in part (1 of 4)"]
    found += ["holds on MNIST, Folk tunes; same direction in every run on dSprites", "mixed over runs"]
    expected = "holds: 2; holds in part: 2; same direction: 1; mixed over runs: 1"
    assert claims.tally(pd.DataFrame({"verdict": found})) == expected


def test_content_is_compared_where_both_cover_as_much():
    def run(*points):
        curve = [{"range_covered": r, "content": c} for r, c in points]
        return {"details": {"content_curve": curve}}

    near, far = run((0.2, 0.9), (0.4, 0.8)), run((0.3, 0.9), (0.5, 0.7), (0.9, 0.1))
    equal = scores.content_at_equal_range
    assert equal(near, far) == pytest.approx((0.8, 0.8, 0.4))
    assert equal(far, run((0.6, 0.3), (1.2, 0.2))) == pytest.approx((0.1, 0.25, 0.9))
    assert equal(near, run((0.41, 0.9), (0.6, 0.7))) is None  # it covers more from the start on
    assert equal(near, {"details": {}}) is None
    both = {"bach-arvae": {"runs": {"seed0": near}}, "bach-glsr": {"runs": {"seed0": far, "seed1": far}}}
    assert claims.content_gaps(both, "bach", "glsr") == pytest.approx([0.0])
    assert claims.content_gaps(both, "bach", "fader") == []


def test_scores_with_and_without_an_attribute():
    per = {"a": {"scc": 0.2}, "b": {"scc": 0.8}, "c": {"scc": 0.9}}
    one = {"dataset": "d", "model": "arvae", "runs": {"s": {"scc": 0.63, "details": {"per_attribute": per}}}}
    other = one | {"dataset": "e"}
    table = tables.without({"d-arvae": one, "e-arvae": other}, "d", "a", ["scc"])
    assert table.set_index("metric").value.to_dict() == pytest.approx({"scc": 0.63, "scc, without a": 0.85})


def test_three_runs_have_intervals_and_a_p(reports):
    more = {
        name: report(one["dataset"], one["model"], (0, 1, 2), **scalars_of(0.9 if "arvae" in name else 0.3))
        for name, one in reports.items()
    }
    table = claims.check(more, claims.PAPER).set_index("claim")
    row = table.iloc[0]
    assert row.verdict == "holds" and row.p == f"{2 / 2**12:.3g}" and "(+0.600 to +0.600)" in row.evidence
    assert table.verdict.filter(like="On music").item() == "does not hold"
    beside = tables.beside_published(tables.runs(more), tables.published(root(__file__)))
    assert beside["95 % low"].notna().all() and (beside["each run"] == "").all()


def test_one_run_on_one_data_set_breaks_nothing(reports, tmp_path):
    """Numbers of runs may differ between data sets and models."""
    some = dict(reports)
    for model in ("arvae", "betavae"):
        some[f"dsprites-{model}"] = report("dsprites", model, (1,), **scalars_of(0.5))
    ours, theirs = tables.runs(some), tables.published(root(__file__))
    table = claims.check(some, claims.PAPER).set_index("claim")
    assert table.runs.iloc[0] == "1, 2, 2, 2"
    for name, one in (
        ("a", tables.beside_published(ours, theirs)),
        ("b", tables.beside_baseline(ours)),
        ("c", tables.spread(ours, theirs)),
        ("d", summary.main(ours, theirs, some)),
        ("e", summary.studies(ours)),
        ("f", table.reset_index()),
    ):
        assert all(path.stat().st_size for path in typeset.write(one, tmp_path, name, "About"))
    assert "dSprites 1 run (seed 1), MNIST 2 runs (seeds 0, 1)" in tables.few(some)


def test_a_caption_names_the_models_whose_numbers_of_runs_differ(reports):
    some = {name: one for name, one in reports.items() if one["dataset"] in ("dsprites", "mnist")}
    for model in ("betavae", "cvae"):
        some[f"mnist-{model}"] = report("mnist", model, (0,), **scalars_of(0.5))
    assert "MNIST 2 runs of AR-VAE (seeds 0, 1) and 1 of the others (seed 0)" in tables.counts(some)
    del some["mnist-cvae"]
    assert tables.counts(some).endswith("MNIST 2 runs of AR-VAE (seeds 0, 1) and 1 of β-VAE (seed 0)")


def test_front_page_quotes_the_same_verdicts(reports):
    ours, theirs = tables.runs(reports), tables.published(root(__file__))
    row = summary.main(ours, theirs, reports).set_index(["data set", "metric"]).loc["mnist", "scc"]
    beside = tables.beside_published(ours, theirs).set_index(["data set", "metric", "model"]).verdict
    assert row.verdict == beside["mnist", "scc", "arvae"] and row["AR-VAE"] == "0.90, 0.90"
    shorter = ours.assign(value=0.5)
    shown = summary.main(ours, theirs, reports, shorter)["AR-VAE, laptop"]
    assert shown.isin(["0.50, 0.50", "0.5, 0.5"]).all()


def test_baseline_table(reports):
    table = tables.beside_baseline(tables.runs(reports))
    row = table[(table.metric == "interpretability") & (table["data set"] == "bach")].iloc[0]
    assert np.isnan(row.difference) and row["it is"] == "higher in every run" and "," in row.arvae
    assert row["each difference"] == "+0.600, +0.600" and row.runs == 2 and np.isnan(row["95 % low"])


def test_floors_and_ceilings_stand_beside_the_scores(reports):
    bounds = {"floor": {"scc": 0.02, "reconstruction_accuracy": 0.8}, "ceiling": {"scc": 1.0}}
    some = {name: one | {"bounds": bounds} for name, one in reports.items() if "bach" in name}
    table = tables.with_bounds(tables.spread(tables.runs(some)), some).set_index(["metric", "model"])
    assert table.floor["scc", "arvae"] == 0.02 and table.ceiling["scc", "betavae"] == 1
    assert table.floor["reconstruction_accuracy_percent", "arvae"] == pytest.approx(80)
    assert np.isnan(table.ceiling["mig", "arvae"])


def test_caption_says_all_that_matters(reports):
    text = tables.caption("Scores", reports)
    expected = "Scale smoke|MNIST 2 runs (seeds 0, 1)|cpu in bfloat16|0.7 epochs of 1,234|"
    for word in (expected + "source: drawn|99 test codes|Bach chorales").split("|"):
        assert word in text
    with pytest.raises(ValueError, match="no reports"):
        tables.caption("Scores", {})


def test_three_forms(reports, tmp_path):
    table = tables.beside_published(tables.runs(reports), tables.published(root(__file__)))
    paths = typeset.write(table, tmp_path, "published", "Scores_1. 100 % & more")
    assert [path.name for path in paths] == ["published.csv", "published.md", "published.tex"]
    back = pd.read_csv(paths[0], comment="#")
    np.testing.assert_allclose(back.obtained, table.obtained, rtol=1e-5)
    text = paths[1].read_text(encoding="utf-8")
    assert text.startswith("Scores_1.") and text.count("\n|") == len(table) + 2 and "AR-VAE" in text
    tex = paths[2].read_text(encoding="utf-8")
    assert r"Scores\_1. 100 \% \& more" in tex and r"\toprule" in tex and r"\bottomrule" in tex
    assert tex.count(r" \\") == len(table) + 5 and "β" not in tex and "\N{MINUS SIGN}" not in tex


def test_per_attribute_and_spread(reports):
    scores = tables.per_attribute(reports, "scc")
    assert len(scores) == 8 * 2 * 2 and set(scores.attribute) == {"a", "b"}
    table = tables.spread(tables.scalars(reports, ["monotonicity", "nothing"]))
    assert list(table["data set"].unique()) == list(labels.DATASETS) and (table.runs == 2).all()
    assert tables.change_matrix(
        reports["bach-arvae"] | {"runs": {"seed0": {"details": {"controllability": {"fixed": None}}}}}
    ).empty


def test_reports_are_loaded(home, sprites_arvae):
    found = records.load(home, ["dsprites-arvae"])
    assert found["dsprites-arvae"]["mean"] == sprites_arvae[0]["mean"]
    with pytest.raises(ValueError, match="mnist-arvae"):
        records.load(home, ["mnist-arvae"])
    (home / "reports" / "metrics" / "classifier.json").write_text('{"test_accuracy": 0.99}')
    assert "classifier" not in records.load(home)


def test_pages_of_one_setup_show_its_runs(sprites_arvae, tmp_path):
    one = sprites_arvae[0]
    mine = {"dsprites-arvae": one}
    table = tables.compact(tables.with_bounds(tables.spread(tables.scalars(mine, ["scc", "iou"])), mine))
    assert list(table.columns) == ["metric", "runs", "each run", "floor", "ceiling"]  # two runs: no mean
    steered = tables.control(one)
    asked = {"reached", "left alone", "distance to target", "smoothness"}
    sides = {
        f"{name}{place}" for name in ("others moved", "beyond dependence") for place in ("", ", observed")
    }
    assert asked | sides <= set(steered.columns)
    free = {
        name: run | {"details": run["details"] | {"regularized": None}} for name, run in one["runs"].items()
    }
    without = tables.control(one | {"runs": free}).monotonicity
    assert (without >= steered.monotonicity.abs() - 1e-12).all()  # opposite runs do not cancel
    means = tables.mean_codes(one).set_index("metric")  # of two runs, the first
    assert tables.over(one) == "the first of 2 runs"
    assert means.loc["scc", "sampled code"] == pytest.approx(next(iter(one["runs"].values()))["scc"])
    like = tables.realism(one)
    assert list(like.moved) == [*dsprites.NAMES, "test items"] and like.notna().all(axis=None)
    curves = tables.content_curves(mine)
    assert set(curves.run) == {"seed0", "seed1"} and curves.content.between(0, 1).all()
    metrics.content_curves(curves)
    for name, frame in (("a", table), ("b", means.reset_index()), ("c", like)):
        assert all(path.stat().st_size for path in typeset.write(frame, tmp_path, name, "About"))


def test_the_papers_figures_are_listed_with_their_state(reports, tmp_path):
    theirs = tables.published(root(__file__))
    some = {name: one for name, one in reports.items() if name != "folk-betavae"}
    for item in checklist.ITEMS:
        for file in [file.format(name) for file in item.files for name in item.datasets or [""]]:
            if "folk/plane" not in file:
                (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / file).touch()
    grid = study.published(root(__file__))
    found = checklist.checklist(tmp_path, tables.runs(some), theirs, grid, 12)
    rows = found.set_index("the paper shows")
    assert rows.numbers.sum() == 520 + 70
    boxes = rows.loc["Box plots of interpretability, MIG, modularity, SAP and SCC"]
    assert (boxes.numbers, boxes["with ours"], boxes.state) == (400, 350, "here")
    assert rows.loc["MNIST over 35 settings of γ and δ", "with ours"] == 24
    assert rows.state["MNIST over 35 settings of γ and δ"] == "by `make studies`"
    missing = rows.loc["Outputs over two dimensions"]
    assert missing.state == "not here: figures/comparison-folk/plane.png"
    assert "folk" not in missing["where"] and "bach" in missing["where"]
    reasons = rows[rows.state == "not reproduced"].note
    assert len(reasons) and (reasons != "").all()
