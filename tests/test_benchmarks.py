"""The benchmark: both paths train and are judged alike, and what is printed follows from the numbers."""

import json

import pytest
import torch
from ruamel.yaml import YAML

from arvae import evaluation, params, paths
from benchmarks import evaluation as waits
from benchmarks import experiments, gpu, playground, speed
from compendium.tables import study
from tests.browser import chromium
from tests.small import music_dataset

ROOT = paths.root(__file__)


def test_both_paths_learn_and_are_judged_by_the_same_scores(tmp_path):
    music_dataset().save(tmp_path / "bach")
    found = [speed.child_learn(path, "bach", 2, 0, tmp_path) for path in ("plain", "fast")]
    assert found[0].keys() == found[1].keys()
    assert all(0 <= one["reconstruction accuracy"] <= 1 and one["reconstruction (nats)"] > 0 for one in found)


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("", speed.NAMES),
        ("--learn 300 --seeds 0 1 2", speed.NAMES),
        ("--steps 0 --learn 300", speed.NAMES),
        ("mnist bach --steps 0 --profile", ("mnist", "bach")),
    ],
)
def test_its_commands_go_through_the_data_sets_that_are_asked_for(command, names, monkeypatch, tmp_path):
    for name in names:  # learning asks whether there are data
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").touch()
    done = []
    for part in ("speed", "profile", "learn"):
        monkeypatch.setattr(speed, part, lambda name, *_, part=part: done.append((part, name)))
    speed.main([*command.split(), "--data", str(tmp_path)])
    asked = {"speed": "--steps 0" not in command, "profile": "--prof" in command, "learn": "--l" in command}
    assert done == [(part, name) for name in names for part, wanted in asked.items() if wanted]
    for unsound in (["bahc"], ["--rounds", "0"]):
        with pytest.raises(SystemExit):
            speed.main(unsound)
    with pytest.raises(SystemExit):
        gpu.main(["--device", "cpu", "bahc"])


def test_a_step_is_timed_on_random_data():
    found = speed.child_speed("fast", "bach", 1)
    assert found["seconds"] > 0 and found["peak"] > 1e9


def test_a_profile_names_the_operators_that_take_the_time():
    shares = speed.child_profile("fast", "bach", 1)
    assert sum(shares.values()) == pytest.approx(1.0)
    *operators, others = shares
    assert [shares[name] for name in operators] == sorted(map(shares.get, operators), reverse=True)
    assert shares["mm"] > 0.1  # matrix products: what the rest is to disappear beside
    assert others == speed.OTHERS and -1e-9 < shares[others] < 0.9  # compiled kernels, among other things


def test_random_data_have_the_shape_of_the_real_ones():
    for name, shape in (("dsprites", (64, 64)), ("mnist", (28, 28)), ("bach", (24,))):
        assert speed.random_data(speed.setup_of(name, "fast"), 4).train.x.shape == (4, *shape)


def test_the_paths_differ_in_the_engine_alone():
    plain, fast = (speed.setup_of("mnist", path) for path in ("plain", "fast-float32"))
    assert not plain.engine.fast and fast.engine.fast and fast.engine.precision == "float32"
    assert plain.model_copy(update={"engine": fast.engine}) == fast


def test_the_operations_of_a_step_are_those_of_its_matrix_products():
    """Twice a multiplication and an addition, forth and, for weights and for inputs, back."""
    hidden, gates, symbols = 128, 3 * 128, speed.Vocabulary().size
    encoder = 24 * 2 * gates * (10 + hidden + 2 * hidden + hidden)
    decoder = 4 * gates * (1 + hidden + 2 * hidden) + 24 * gates * (10 + hidden + hidden + 2 * hidden)
    dense = 2 * 4 * hidden * 256 + 2 * 256 * 32 + 32 * 256 + 4 * 3 * hidden * hidden + 24 * hidden * symbols
    assert speed.flops(speed.setup_of("bach", "fast")) == pytest.approx(
        6 * (encoder + decoder + dense), rel=0.02
    )


def test_the_ways_and_their_table():
    ways = speed.ways(2, "bfloat16")
    assert [(way.path, way.processes, way.threads) for way in ways] == [
        ("plain", 2, 1), ("plain", 1, None), ("fast", 2, 1), ("fast-float32", 2, 1)
    ]  # fmt: skip
    assert len(speed.ways(2, "float32")) == 3
    best = {way: {"rate": 100.0 * 2**i, "peak": 1e12} for i, way in enumerate(ways)}
    lines = speed.lines("images", "mnist", 1e9, best)
    assert len(lines) == 5 and "1,000 MFLOP" in lines[0]
    assert "fast, 2 processes" in lines[3] and "400 images/s" in lines[3]
    assert "4.00 x" in lines[3] and "2.00 x" in lines[3] and "400 of 1,000 GFLOP/s (40 %)" in lines[3]


def test_equal_means_within_the_noise_of_seeds():
    assert "equal within seed noise (±0.141)" in speed.agreement([0.5, 0.6], [0.55, 0.55])
    assert "NOT EQUAL" in speed.agreement([0.5, 0.51], [0.8, 0.81])
    assert "plain 0.500, fast 0.510, difference +0.010: equal" in speed.agreement([0.5], [0.51])


def test_a_process_of_the_comparison_with_a_gpu_times_and_learns(tmp_path):
    music_dataset().save(tmp_path / "bach")
    ready, *rates = gpu.child("cpu", False, "bach", ["0.01", "0.01"])
    assert ready == "ready" and len(rates) == 2 and all(float(rate) > 0 for rate in rates)
    found = gpu.child_learn("cpu", False, "bach", 2, 0, tmp_path)
    assert found == speed.child_learn("fast", "bach", 2, 0, tmp_path)  # the same run, where there is no GPU


@pytest.mark.slow
def test_the_comparison_with_a_gpu_runs_to_its_table_with_the_processor_in_its_place(tmp_path, capsys):
    music_dataset().save(tmp_path / "bach")
    how = ["bach", "--device", "cpu", "--seconds", "0.1", "--learn", "2", "--seeds", "0"]
    how += ["--at-once", "1", "2", "--data", str(tmp_path), "-o", str(tmp_path / "gpu.md")]
    assert gpu.main(how) == 0  # the same on both: the same to the last digit
    text = (tmp_path / "gpu.md").read_text()
    assert text in capsys.readouterr().out and "PyTorch" in text
    row = next(line for line in text.splitlines() if line.startswith("| bach"))
    assert row.endswith("| equal |") and row.count("/s") == 2
    assert "* bach, examples a second on the GPU: 1 process " in text and ", 2 processes " in text
    assert "* bach, scc: processor" in text and text.count("difference +0.000: equal") >= 4


def test_a_network_that_fails_on_the_gpu_does_not_cost_the_others_their_rows(tmp_path, capsys, monkeypatch):
    found = {"mnist": {}, "bach": {(1, False): 50.0}}
    monkeypatch.setattr(gpu, "rates", lambda name, *_: (10.0, found[name]))
    table = tmp_path / "gpu.md"
    assert gpu.main(["mnist", "bach", "--device", "cpu", "--learn", "0", "-o", str(table)]) == 1
    assert (
        "| mnist | 10/s | FAILED |" in table.read_text()
        and "| bach | 10/s | 50/s | 5.00 |" in table.read_text()
    )
    assert gpu.main(["bach", "--device", "cpu", "--learn", "0"]) == 0


def test_without_data_or_where_learning_fails_the_speeds_are_told(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(gpu, "rates", lambda *_: (10.0, {(1, False): 50.0}))
    assert gpu.main(["bach", "--device", "cpu", "--data", str(tmp_path)]) == 0
    assert "| bach | 10/s | 50/s | 5.00 | 1 process | not tried |" in (said := capsys.readouterr().out)
    assert "learning was not tried: dvc repro data@bach" in said
    (tmp_path / "bach").mkdir()
    (tmp_path / "bach" / "manifest.json").write_text("{}")  # no data: the processes that learn fail
    assert gpu.main(["bach", "--device", "cpu", "--data", str(tmp_path), "--learn", "1"]) == 1
    assert "| 1 process | FAILED |" in capsys.readouterr().out


@pytest.mark.slow
def test_a_whole_experiment_is_trained_and_put_beside_the_committed_scores(tmp_path, capsys, monkeypatch):
    dataset = music_dataset()
    dataset.save(tmp_path / "data" / "prepared" / "bach")
    given = YAML(typ="safe").load((ROOT / "params.yaml").read_text())
    given["scale"] = "smoke"
    with (tmp_path / "params.yaml").open("w") as file:
        YAML().dump(given, file)
    monkeypatch.chdir(tmp_path)
    how = {"device": "cpu", "workers": 2, "graphs": False}
    found = experiments.run(tmp_path, ["bach-arvae"], tmp_path / "data" / "gpu", how)
    assert found.rows[0][0] == "bach-arvae" and found.rows[0][-1] == "not committed"
    assert (tmp_path / "data" / "gpu" / "bach-arvae" / "seed0.safetensors").is_file()
    setup = params.load(tmp_path / "params.yaml").setup("bach", "arvae")
    items = evaluation.pick(dataset, 500)
    scores = study.measure(setup, dataset, items, tmp_path / "data" / "gpu" / "bach-arvae")
    scores = scores.assign(reconstruction_accuracy=scores.reconstruction_accuracy_percent / 100)
    runs = {row.run: {name: getattr(row, name) for name in experiments.SCORES} for row in scores.itertuples()}
    path = tmp_path / "reports" / "metrics" / "bach-arvae.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"runs": runs}))
    again = experiments.run(tmp_path, ["bach-arvae"], tmp_path / "data" / "gpu", how)  # reused, now compared
    assert again.rows[0][-1] == "equal" and sum("difference +0.000" in line for line in again.lines) == 5
    wrong = {name: one | {"mig": one["mig"] + 0.5} for name, one in runs.items()}
    path.write_text(json.dumps({"runs": wrong}))
    assert (
        experiments.run(tmp_path, ["bach-arvae"], tmp_path / "data" / "gpu", how).rows[0][-1] == "NOT EQUAL"
    )
    with pytest.raises(params.ParamsError, match="no experiment mnsit at .*: choose of dsprites-"):
        experiments.run(tmp_path, ["mnsit"], tmp_path / "data" / "gpu", how)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_the_comparison_says_so(capsys):
    assert gpu.main([]) == 1 and "no CUDA device here" in capsys.readouterr().err


@pytest.mark.slow
def test_the_playground_is_timed_decoder_by_decoder(capsys):
    if chromium() is None:
        pytest.skip("no Chromium here: the page's speed was NOT measured")
    assert playground.main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines][-2:] == ["folk", "bach"] and len(lines) == 10
    assert all(float(line.split(" ms")[0].split()[-1]) > 0 for line in lines)


def test_a_page_that_is_not_there_is_named(tmp_path, capsys):
    assert playground.main([str(tmp_path / "page.html")]) == 1
    assert "no page" in (said := capsys.readouterr().err) or "no Chromium" in said


def test_metrics_attributes_and_sliders_are_timed(capsys):
    assert waits.main(["--codes", "300"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 9 and all(float(line.split()[-2]) > 0 for line in lines)
    assert [line.split(",")[0] for line in lines][:2] == ["evaluate", "grouped"]


def test_learning_without_data_is_refused_with_the_remedy(tmp_path, capsys):
    with pytest.raises(SystemExit):
        speed.main(["--steps", "0", "--learn", "2", "--data", str(tmp_path), "bach"])
    assert "dvc repro data@bach" in capsys.readouterr().err
