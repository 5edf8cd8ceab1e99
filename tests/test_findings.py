"""The front page's findings say what the metrics files hold, and no more."""

import copy

import pytest

from arvae.files import write_json
from compendium import findings


def report(dataset, model, beta, gamma, runs, content="digit"):
    details = {"content": content and {"what": content}}
    details["controllability"] = dict.fromkeys(["fixed", "observed"])
    curves = [[{"range_covered": 0.5, "content": run.pop("kept")}] for run in runs]
    return {
        "dataset": dataset,
        "model": model,
        "scale": "laptop",
        "seeds": list(range(len(runs))),
        "provenance": {"beta": beta, "gamma": gamma},
        "mean": {name: sum(run[name] for run in runs) / len(runs) for name in runs[0]},
        "runs": {
            f"seed{n}": run | {"details": details | {"content_curve": curve}}
            for n, (run, curve) in enumerate(zip(runs, curves, strict=True))
        },
    }


def scores(told, steady=0.9, kept=0.5, rebuilt=0.95):
    return {
        "interpretability": told,
        "monotonicity": steady - 0.2,
        "monotonicity_either_way": steady,
        "selectivity": 0.4,
        "kept": kept,
        "content_reconstructed": 0.92,
        "reconstruction_accuracy": rebuilt,
    }


@pytest.fixture
def reports():
    return {
        "mnist-arvae": report("mnist", "arvae", 1, 10, [scores(0.8), scores(0.7)]),
        "mnist-betavae": report("mnist", "betavae", 4, 0, [scores(0.4, 0.88), scores(0.5, 0.88)]),
        "folk-arvae": report("folk", "arvae", 0.001, 1, [scores(0.9)], "pitches"),
        "folk-betavae": report("folk", "betavae", 0.001, 0, [scores(0.2, 0.3, rebuilt=0.97)], "pitches"),
    }


def test_the_fair_baseline_differs_in_the_regularization_alone(reports):
    assert findings.fair(reports, "folk") == "betavae" and findings.fair(reports, "mnist") == ""
    assert "On MNIST the fair baseline has not been run" in findings.sentences(reports, {})
    reports["mnist-betavae1"] = report("mnist", "betavae1", 1, 0, [scores(0.6), scores(0.6)])
    assert findings.fair(reports, "mnist") == "betavae1"
    given = report("mnist", "cvae", 1, 0, [scores(0.1)])
    given["provenance"]["objective"] = "cvae"
    others = {"mnist-cvae": given, "mnist-direction": report("mnist", "direction", 1, 0, [scores(0.1)])}
    assert findings.fair(others | reports, "mnist") == "betavae1"
    text = findings.sentences(reports, {})
    assert "an R² of 0.75 (MNIST) to 0.90 (Folk tunes)" in text and "not been run" not in text
    assert "without the regularization, 0.20 (Folk tunes) to 0.60 (MNIST)" in text
    table = findings.table(reports).set_index("AR-VAE (fair baseline)")
    assert table.loc["R²"].to_dict() == {"MNIST": "0.75 (0.60)", "Folk tunes": "0.90 (0.20)"}


def test_what_beta_alone_explains_is_said_where_both_baselines_were_run(reports):
    assert findings.of_beta(reports, "folk") == findings.of_beta(reports, "mnist") == ""
    reports["mnist-betavae1"] = report("mnist", "betavae1", 1, 0, [scores(0.6, rebuilt=0.96)])
    text = findings.of_beta(reports, "mnist")
    assert "R² goes from 0.45 to 0.60 and reconstruction accuracy from 95.0 to 96.0 %" in text
    assert text.endswith("AR-VAE has 0.75 and 95.0 %.")


def test_sentences_follow_from_the_numbers(reports):
    text = findings.sentences(reports, {})
    assert "higher in every run on MNIST; higher (one run) on Folk tunes" in text
    fewer = {name: one for name, one in reports.items() if "folk" in name}
    assert "higher (one run) on every data set" in findings.sentences(fewer, {})
    assert "is 0.70 (MNIST)" in text and "to 0.88 (MNIST)" in text, (
        "AR-VAE has to run upwards, a baseline in either direction"
    )
    assert "alike" not in text
    upwards = copy.deepcopy(reports)
    upwards["mnist-arvae"]["mean"]["monotonicity"] = 0.9
    assert "On MNIST the two are alike" in findings.sentences(upwards, {})
    assert "50 % of edited digits are still recognised (baseline: 50 %; merely reconstructed: 92 %)" in text
    assert "95.0 % instead of 97.0 % on Folk tunes" in text and "guessing" not in text
    assert (
        findings.table(reports).set_index("AR-VAE (fair baseline)").loc["content kept", "MNIST"]
        == "0.50 (0.50)"
    )
    far = copy.deepcopy(reports)
    for run in far["mnist-arvae"]["runs"].values():
        run["details"]["content_curve"] = [{"range_covered": 0.9, "content": 0.2}]
    assert "digits" not in findings.sentences(far, {}), "one begins beyond what the other covers"
    worse = copy.deepcopy(reports)
    worse["mnist-arvae"]["runs"]["seed0"]["interpretability"] = 0.3
    worse["mnist-arvae"]["mean"]["content_reconstructed"] = 0.05
    text = findings.sentences(worse, {})
    assert "mixed on MNIST; higher (one run) on Folk tunes" in text and "better than guessing" in text


def test_the_numbers_of_runs_are_said_where_they_differ(reports):
    assert findings.table(reports).iloc[-1].tolist() == ["runs", "2", "1"]
    reports["mnist-betavae1"] = report("mnist", "betavae1", 1, 0, [scores(0.6)])
    assert findings.table(reports).iloc[-1].tolist() == ["runs", "2 and 1", "1"]


def test_a_data_set_whose_content_nothing_tells_is_left_out(reports):
    for name in ("mnist-arvae", "mnist-betavae"):
        for run in reports[name]["runs"].values():
            run["details"]["content"] = None
    assert "digits" not in findings.sentences(reports, {})


def evaluated(home, dataset, model, beta, gamma, told, scale="laptop"):
    metrics = home / "reports" / "metrics"
    metrics.mkdir(parents=True, exist_ok=True)
    one = report(dataset, model, beta, gamma, [scores(told)]) | {"scale": scale}
    write_json(metrics / f"{dataset}-{model}.json", one)


def test_the_front_page_takes_the_longest_trainings_with_a_fair_baseline(tmp_path):
    night, setups = tmp_path / "overnight", ["mnist-betavae", "mnist-arvae"]
    evaluated(tmp_path, "mnist", "arvae", 1, 10, 0.7)
    evaluated(tmp_path, "mnist", "betavae", 4, 0, 0.4)
    evaluated(night, "mnist", "arvae", 1, 10, 0.8, "overnight")
    assert findings.longest(tmp_path, setups) == tmp_path, "the night's baseline is not there yet"
    evaluated(night, "mnist", "betavae", 4, 0, 0.45, "overnight")
    assert findings.longest(tmp_path, setups) == night
    scales = {one["scale"] for one in findings.compared(tmp_path, night).values()}
    assert scales == {"laptop"}, "the night lacks the fair baseline"
    evaluated(night, "mnist", "betavae1", 1, 0, 0.5, "overnight")
    assert findings.fair(findings.compared(tmp_path, night), "mnist") == "betavae1"
    assert {one["scale"] for one in findings.compared(tmp_path, night).values()} == {"overnight"}


def test_data_sets_of_the_studies_alone_are_no_finding_of_the_front_page(tmp_path):
    evaluated(tmp_path, "mnist", "arvae", 1, 10, 0.7)
    for dataset, model, gamma in (("mnist", "betavae1", 0), ("folk-own", "arvae", 1)):
        evaluated(tmp_path / "studies", dataset, model, 1, gamma, 0.4)
    assert set(findings.compared(tmp_path, tmp_path)) == {"mnist-arvae", "mnist-betavae1"}


def test_a_cost_that_rounds_to_nothing_is_not_told(reports):
    assert "it costs" in findings.sentences(reports, {})
    reports["folk-betavae"]["mean"]["reconstruction_accuracy"] = 0.951
    assert "it costs" not in findings.sentences(reports, {})


def test_it_is_told_where_plain_regression_does_as_much(reports):
    assert "regression" not in findings.sentences(reports, {})
    reports["mnist-regression"] = report("mnist", "regression", 1, 10, [scores(0.86)])
    text = findings.sentences(reports, {})
    assert "scores higher (0.86 on MNIST; one run each)" in text
    text = findings.sentences({"mnist-arvae": reports["mnist-arvae"]}, reports)
    assert "At scale laptop, plain regression" in text and "higher (0.86 on MNIST" in text
    reports["folk-regression"] = report("folk", "regression", 0.001, 1, [scores(0.7)])
    text = findings.sentences(reports, {})
    assert "lower on some, higher on others (0.86 on MNIST and 0.70 on Folk tunes" in text


def test_attributes_that_do_not_follow_are_named(reports):
    def steered(**attributes):
        names = (
            "monotonicity",
            "monotonicity_gamma",
            "smoothness",
            "range_covered",
            "selectivity",
            "measurable",
            "dimension",
        )
        per = {name: dict.fromkeys(names, 0.9) | {"monotonicity": m} for name, (m, _) in attributes.items()}
        hits = {name: {"hit": hit, "floor": 0.3} for name, (_, hit) in attributes.items()}
        sides = {name: {"moved": 0.2, "beyond": 0.1} for name in attributes}
        return {
            "controllability": {"fixed": {"per_attribute": per}, "observed": {"per_attribute": per}},
            "occupancy": dict.fromkeys(attributes, 0.9),
            "targets": {"per_attribute": hits},
            "side_change": dict.fromkeys(("fixed", "observed"), {"per_attribute": sides}),
            "regularized": {name: 0 for name in attributes},
        }

    for dataset, attributes in (
        ("mnist", {"slant": (0.9, 0.8), "height": (-0.2, 0.8)}),
        ("folk", {"contour": (0.9, 0.32), "pitch_range": (0.9, 0.8)}),
    ):
        one = reports[f"{dataset}-arvae"] | {"attributes": list(attributes)}
        for run in one["runs"].values():
            run["details"] |= steered(**attributes)
        reports[f"{dataset}-arvae"] = one
    text = findings.sentences(reports, {})
    assert "Exceptions: height on MNIST (−0.20)." in text
    assert "values of contour on Folk tunes are reached hardly more often than without an edit." in text
    short = findings.abstract(reports)
    assert "And not all follow: height on MNIST (−0.20)." in short and "But attributes do not change" in short
