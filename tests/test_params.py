"""params.yaml: the shipped file is sound, and every fault is refused by a message that names it."""

import re

import pytest
from ruamel.yaml import YAML

from arvae import params, paths

ROOT = paths.root(__file__)


@pytest.fixture
def raw():
    return YAML(typ="safe").load((ROOT / "params.yaml").read_text())


def load(raw, folder):
    with open(folder / "params.yaml", "w") as file:
        YAML(typ="safe").dump(raw, file)
    return params.load(folder / "params.yaml")


def put(raw, key, value):
    *above, last = key.split("/")
    for part in above:
        raw = raw[part]
    raw[last] = value


def test_the_shipped_file_is_sound():
    shipped = params.load(ROOT / "params.yaml")
    assert shipped.scale == "laptop"
    assert len(shipped.seeds) >= 2
    assert {"dsprites", "mnist", "bach", "folk"} <= set(shipped.datasets)


def test_the_papers_values_are_the_defaults():
    """Specification, section 3: batch and epochs, beta, gamma, delta (paper, section 4)."""
    shipped = params.load(ROOT / "params.yaml")
    image, music = shipped.setup("mnist", "arvae"), shipped.setup("folk", "arvae")
    assert (image.hyperparameters.beta, image.hyperparameters.gamma, image.hyperparameters.delta) == (
        1,
        10,
        1,
    )
    assert (music.hyperparameters.beta, music.hyperparameters.gamma, music.hyperparameters.delta) == (
        0.001,
        1,
        10,
    )
    assert shipped.setup("dsprites", "betavae").hyperparameters.beta == 4
    assert shipped.setup("bach", "betavae").hyperparameters.beta == 0.001
    assert (image.batch_size, music.batch_size, image.latent_dim, music.latent_dim) == (128, 256, 16, 32)
    assert shipped.scales["paper"].training["dsprites"].epochs == 100
    assert shipped.scales["paper"].training["bach"].epochs == 30
    assert all(setup.learning_rate == 1e-4 for setup in (image.hyperparameters, music.hyperparameters))


def test_scale_changes_neither_architecture_nor_loss(raw, tmp_path):
    fixed = set()
    for scale in ("smoke", "laptop", "overnight", "paper"):
        raw["scale"] = scale
        setup = load(raw, tmp_path).setup("dsprites", "arvae")
        fixed.add(setup.model_dump_json(exclude={"scale", "schedule", "seeds"}))
    assert len(fixed) == 1


def test_a_scale_may_have_seeds_of_its_own(raw, tmp_path):
    raw |= {"scale": "smoke", "seeds": [5]}
    raw["scales"]["smoke"]["seeds"] = {"images": [1, 2], "dsprites": [3]}
    given = load(raw, tmp_path)
    seeds = [given.setup(name, "arvae").seeds for name in ("dsprites", "mnist", "bach")]
    assert seeds == [(3,), (1, 2), (5,)]
    for fault, message in (
        ({"dsprties": [1]}, "did you mean dsprites"),
        ({"music": [1, 1]}, "has a value twice"),
    ):
        raw["scales"]["smoke"]["seeds"] = fault
        with pytest.raises(params.ParamsError, match=message):
            load(raw, tmp_path)


def test_a_scale_may_have_seeds_for_a_model_or_a_setup(raw, tmp_path):
    raw |= {"scale": "smoke", "seeds": [5]}
    raw["scales"]["smoke"]["seeds"] = {"mnist": [1, 2], "cvae": [3], "bach-cvae": [4]}
    given = load(raw, tmp_path)
    seeds = [given.setup("mnist", model).seeds for model in ("arvae", "cvae")] + [
        given.setup("bach", "cvae").seeds
    ]
    assert seeds == [(1, 2), (3,), (4,)]


def test_weights_that_are_tried_are_settings_of_a_shorter_setup(raw, tmp_path):
    raw["studies"]["tuning"] = {
        "share": 0.5,
        "weights": {"mnist-fader": {"gamma": [0.1, 2.0], "beta": [3.0]}},
    }
    given = load(raw, tmp_path)
    ((setup, settings),) = given.tuning()
    whole = given.setup("mnist", "fader")
    assert setup.name == "mnist-fader-tuning" and setup.seeds == whole.seeds[:1]
    assert setup.schedule.epochs == whole.schedule.epochs / 2 and setup.schedule.peak == whole.schedule.peak
    assert settings == {
        "beta3-gamma0.1": {"gamma": 0.1, "beta": 3.0},
        "beta3-gamma2": {"gamma": 2.0, "beta": 3.0},
    }
    del raw["studies"]["tuning"]
    assert load(raw, tmp_path).tuning() == []


def test_directions_are_named_by_their_data_set_and_reported_with_the_studies(raw, tmp_path):
    given = load(raw, tmp_path)
    assert given.directions["mnist-direction"] == ("mnist", "betavae1", "images")
    assert given.reports("mnist-direction") == given.reports("mnist-fader") != given.reports("mnist-arvae")


def test_a_file_may_change_some_of_those_above_it(tmp_path):
    """overnight/params.yaml: its scale, its setups; all else is the project's."""
    night, day = params.load(ROOT / "overnight" / "params.yaml"), params.load(ROOT / "params.yaml")
    assert night.scale == "overnight" and night.setups.keys() - day.setups.keys() == {
        "dsprites-betavae1",
        "mnist-betavae1",
    }
    assert (night.models, night.networks, night.engine) == (day.models, day.networks, day.engine)
    mnist, wanted = night.setup("mnist", "arvae"), day.scales["overnight"].training["mnist"].model_dump()
    assert mnist.hyperparameters.clip == wanted.pop("clip") and mnist.schedule.model_dump() == wanted
    path = tmp_path / "params.yaml"
    path.write_text("base: ../nothing.yaml\n")
    with pytest.raises(params.ParamsError, match=r"there is no file ../nothing.yaml"):
        params.load(path)
    path.write_text(
        f"base: {ROOT / 'params.yaml'}\nmodels: {{arvae: {{images: {{gamma: 3.0}}}}}}\nsceeds: 1\n"
    )
    with pytest.raises(params.ParamsError, match=f"{tmp_path.name}/params.yaml (?s:.*)did you mean seeds"):
        params.load(path)
    path.write_text(path.read_text().replace("sceeds: 1", "seeds: [7]"))
    given = params.load(path)
    assert (given.models["arvae"].images.gamma, given.models["arvae"].images.beta) == (3.0, 1.0)
    assert given.seeds == (7,)
    path.write_text("base: params.yaml\n")  # itself
    with pytest.raises(params.ParamsError, match="there is no file params.yaml"):
        params.load(path)
    path.write_text("base: other.yaml\n")
    (tmp_path / "other.yaml").write_text("base: params.yaml\n")  # in a circle
    with pytest.raises(params.ParamsError, match="other.yaml: base: there is no file params.yaml below"):
        params.load(path)


def test_a_data_set_more_may_name_its_folder_from_the_projects_root(raw, tmp_path, monkeypatch):
    raw["datasets"]["mine"] = {"kind": "music", "folder": "tunes"}
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pipeline.yaml").touch()
    assert load(raw, tmp_path).folder("mine") == tmp_path / "tunes"
    assert load(raw, tmp_path).folder("folk") is None


def test_replace_is_checked():
    setup = params.load(ROOT / "params.yaml").setup("mnist", "arvae")
    assert setup.replace(gamma=1.0).hyperparameters.gamma == 1.0
    with pytest.raises(params.ParamsError, match="gamma"):
        setup.replace(gamma=-1.0)


FAULTS = [
    ("studies/datasets/folk-own/own", ["tonal tensoin"], "did you mean tonal tension"),
    ("networks/folk/attributes", ["a", "b", "c", "d"], "networks.folk.attributes"),
    ("studies/datasets/folk-own/like", "fokl", "did you mean folk"),
    ("studies/datasets/mnist-thin/leave_out", {"thicknes": [1, None]}, "did you mean thickness"),
    ("studies/datasets/mnist-thin/leave_out", {"thickness": [3, 1]}, "holds no values or all"),
    ("studies/datasets/mnist-thin/leave_out", {"thickness": [None, None]}, "holds no values or all"),
    ("studies/datasets/mnist-1/labelled", 1.0, "labelled = 1.0"),
    ("studies/setups/mnist-1", ["arvae"], "use a model whose objective is semisupervised"),
    ("studies/grid/model", "arvea", "studies.grid"),
    ("studies/directions", ["mnist-betavea1"], "did you mean mnist-betavae1"),
    ("studies/directions", ["mnist-arvae"], "give a model without one"),
    ("studies/directions", ["mnist-betavae", "mnist-betavae1"], "give one of them"),
    ("studies/tuning/weights", {"mnist-fader": {}}, "mnist-fader"),
    ("studies/datasets/b c", {"kind": "music", "like": "bach"}, "datasets.b c"),
    ("datasets/x;touch y", {"kind": "music", "folder": "a"}, "datasets.x;touch y"),
    ("datasets/-x", {"kind": "music", "folder": "a"}, "datasets.-x"),
    ("datasets/tunes", {"kind": "music"}, "no known data set: give a folder"),
    ("datasets/other", {"kind": "images", "like": "bach"}, "bach has kind music"),
    ("models/power-arvae", {}, "models.power-arvae"),
    ("studies/tuning/weights", {"mnist-fadre": {"gamma": [1.0]}}, "did you mean mnist-fader"),
    ("studies/tuning/weights", {"mnist-fader": {"gama": [1.0]}}, "should be 'beta', 'gamma' or 'delta'"),
    ("studies/tuning/weights", {"mnist-fader": {"gamma": []}}, "gamma"),
    ("studies/tuning/share", 0.0, "share = 0.0"),
    ("scales/laptop/seeds/cave", [0], "did you mean cvae"),
    ("scale", "laptpo", "scale = 'laptpo'"),
    ("scale", None, "scale = None"),
    ("seeds", [], "seeds"),
    ("seeds", 3, "seeds = 3"),
    ("seeds", [0, 0], "has a value twice"),
    ("seeds", [-1], "-1"),
    ("seeds", [0.5], "0.5"),
    ("seeds", ["a"], "'a'"),
    ("sedes", [0], "did you mean seeds"),
    ("models/arvae/images/gamma", -1.0, "models.arvae.images.gamma = -1.0"),
    ("models/arvae/images/gamma", "10", "gamma = '10'"),
    ("models/arvae/images/gamma", float("nan"), "gamma"),
    ("models/arvae/images/gamma", float("inf"), "gamma"),
    ("models/arvae/images/gama", 1.0, "did you mean gamma"),
    ("models/arvae/images/beta", -0.1, "beta = -0.1"),
    ("models/arvae/music/delta", 0.0, "delta = 0.0"),
    ("models/arvae/music/capacity", -2.0, "capacity = -2.0"),
    ("models/arvae/music/learning_rate", 0.0, "learning_rate = 0.0"),
    ("models/glsr/music/clip", 0.0, "clip = 0.0"),
    ("models/arvae/music/regularize", "median", "regularize = 'median'"),
    ("models/arvae/music/objective", "gan", "objective = 'gan'"),
    ("models/arvae/music", None, "needs models.arvae.music"),
    ("networks/mnist/dimensions", [1, 1, 2, 3, 4, 5], "dimensions names 1 more than once"),
    ("networks/mnist/dimensions", [1, 2, 3], "6 attributes but 3 dimensions"),
    ("networks/mnist/dimensions", [1, 2, 3, 4, 5, 16], "not below latent_dim = 16"),
    ("networks/mnist/dimensions", [1, 2, 3, 4, 5, -6], "-6"),
    ("networks/mnist/attributes", ["area"] * 6, "attributes names area more than once"),
    ("networks/mnist/attributes", [], "attributes"),
    ("networks/mnist/attributes", ["area", "length", "thickness", "slant", "width", "hight"], "height"),
    ("networks/mnist/latent_dim", 0, "latent_dim = 0"),
    ("networks/mnist/latent_dim", 16.5, "latent_dim = 16.5"),
    ("networks/mnist/batch_size", 1, "batch_size = 1"),
    ("datasets/mnist/kind", "movies", "kind = 'movies'"),
    ("datasets/mnist/kind", "music", "mnist has kind images"),
    ("networks/mnist/architecture/dropout", 1.0, "dropout = 1.0"),
    ("networks/music/architecture/layrs", 2, "did you mean layers"),
    ("networks/music/architecture/teacher_forcing", 1.5, "teacher_forcing = 1.5"),
    ("datasets/mnist/sorce", "auto", "did you mean source"),
    ("datasets/mnist/source", "internet", "internet"),
    ("networks/minst", {"latent_dim": 3}, "did you mean mnist"),
    ("setups/minst", ["arvae"], "did you mean mnist"),
    ("datasets/music", {"kind": "music", "folder": "a"}, "name of a kind"),
    ("networks/images/batch_size", None, "networks.images.batch_size is missing"),
    ("setups/mnist", ["glsr"], "needs models.glsr.images"),
    ("studies/setups/mnist", ["arvae"], "in both setups and studies.setups"),
    ("studies/datasets/mnist", {"kind": "images"}, "in both datasets and studies.datasets"),
    ("scales/paper/training/folk-own", {"epochs": 1, "schedule": "constant"}, "give it to all or to none"),
    ("setups/images", ["arvea"], "did you mean arvae"),
    ("setups/mnist", [], "setups.mnist"),
    ("scales/smoke/data/mnist/train", 0, "train = 0"),
    ("scales/smoke/data/mnist/trian", 5, "did you mean train"),
    ("scales/smoke/training/mnist/epochs", 0, "epochs = 0"),
    ("scales/smoke/training/mnist/schedule", "cosine", "schedule = 'cosine'"),
    ("scales/smoke/training/mnist/peak", None, "needs both peak and warmup"),
    ("scales/smoke/training/mnist/warmup", 1.0, "warmup = 1.0"),
    ("scales/smoke/training/mnist/hold", 0.7, "must leave some"),
    ("scales/paper/training/mnist/hold", 0.5, "hold: 0.5"),
    ("scales/paper/training/mnist/peak", 0.1, "takes neither"),
    ("scales/smoke/evaluation/codes", 3, "codes = 3"),
    ("scales/smoke/evaluation/traversal_points", 2, "traversal_points = 2"),
    ("engine/executor", "threads", "executor = 'threads'"),
    ("engine/precision", "float16", "precision = 'float16'"),
    ("engine/workers", 0, "workers = 0"),
    ("engine/threads", "all", "threads = 'all'"),
    ("engine/checkpoint_seconds", 0, "checkpoint_seconds = 0"),
    ("engine/timeout_minutes", 0, "timeout_minutes = 0"),
    ("engine/timeout_minutes", float("nan"), "timeout_minutes"),
    ("engine/device", "tpu", "device = 'tpu'"),
    ("studies/grid/beta", -1.0, "beta = -1.0"),
    ("studies/grid/seed", -1, "seed = -1"),
    ("scales/smoke/grid/gamma", [], "grid.gamma"),
    ("scales/smoke/grid/gamma", [0.1, 0.1], "has a value twice"),
    ("scales/smoke/grid/delta", [0.0], "grid.delta"),
    ("datasets/mnist/side", 32, "side = 32"),
    ("classifier/batch_size", 1, "batch_size = 1"),
    ("classifier/channels", [32], "classifier.channels"),
]


REMEDIES = "must|should|Allowed|did you mean|give|add|once|takes|use"


@pytest.mark.parametrize(
    ("key", "value", "message"), FAULTS, ids=[f"{key}={value}" for key, value, _ in FAULTS]
)
def test_a_fault_is_refused_by_name(raw, tmp_path, key, value, message):
    put(raw, key, value)
    with pytest.raises(params.ParamsError) as refused:
        load(raw, tmp_path)
    assert message in str(refused.value)
    assert re.search(REMEDIES, str(refused.value)), "it does not say what to do"


@pytest.mark.parametrize(
    "key",
    [
        "seeds",
        "engine",
        "models",
        "scales/laptop",
        "networks/music",
        "setups/images",
        "scales/smoke/data/bach",
    ],
)
def test_a_missing_section_is_named(raw, tmp_path, key):
    *above, last = key.split("/")
    section = raw
    for part in above:
        section = section[part]
    del section[last]
    with pytest.raises(params.ParamsError, match=last):
        load(raw, tmp_path)


@pytest.mark.parametrize(
    "text",
    ["seeds: [0, 1", "- a\n- b\n", "", "seeds: [0]\nseeds: [1]\n", "\x00", "a: &a [*a]\n", "seeds: *none\n"],
    ids=["broken", "list", "empty", "a key twice", "binary", "alias of itself", "alias of nothing"],
)
def test_a_file_that_is_no_mapping_is_refused(tmp_path, text):
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(params.ParamsError, match="params.yaml"):
        params.load(tmp_path / "params.yaml")


def test_a_file_in_another_encoding_is_refused_with_the_remedy(tmp_path):
    (tmp_path / "params.yaml").write_bytes("seeds: [0]  # größer".encode("latin-1"))
    with pytest.raises(params.ParamsError, match=r"params.yaml is not in UTF-8 .*0xf6.*: save it as UTF-8"):
        params.load(tmp_path / "params.yaml")


def test_one_entry_adds_a_data_set(raw, tmp_path):
    """Its kind's network, models, sizes and schedules hold; attributes in order, images' dimension 0 free."""
    (tmp_path / "discs").mkdir()
    table = "file,radius [px],brightness\n" + "".join(f"{n}.png,{n},{2 * n}\n" for n in range(100))
    (tmp_path / "discs" / "attributes.csv").write_text(table)
    put(raw, "datasets/tunes", {"kind": "music", "folder": "my_tunes", "own": ["syncopation"]})
    put(raw, "datasets/discs", {"kind": "images", "folder": str(tmp_path / "discs")})
    loaded = load(raw, tmp_path)
    assert {"tunes-arvae", "tunes-betavae", "discs-arvae", "discs-betavae"} < set(loaded.setups)
    tunes, folk = loaded.setup("tunes", "arvae"), loaded.setup("folk", "arvae")
    assert tunes.attributes == (*folk.attributes, "syncopation") and tunes.dimensions == (0, 1, 2, 3, 4)
    assert (tunes.architecture, tunes.hyperparameters) == (folk.architecture, folk.hyperparameters)
    discs = loaded.setup("discs", "arvae")
    assert discs.attributes == ("radius", "brightness") and discs.dimensions == (1, 2)
    assert discs.schedule.epochs == loaded.scales["laptop"].training["images"].epochs
    own = loaded.setup("folk-own", "arvae")  # like folk, where it says nothing else
    assert own.schedule == folk.schedule and loaded.data_sizes("folk-own") == loaded.data_sizes("folk")


def test_a_folder_of_pictures_without_a_table_is_named(raw, tmp_path):
    put(raw, "datasets/discs", {"kind": "images", "folder": str(tmp_path / "none")})
    with pytest.raises(params.ParamsError, match="datasets.discs.*attributes.csv is missing"):
        load(raw, tmp_path).setup("discs", "arvae")


def test_a_schedule_clips_where_the_model_does_not(raw, tmp_path):
    """At some scales only; and it changes no run that has none."""
    put(raw, "scales/laptop/training/mnist/clip", 1000.0)
    put(raw, "models/arvae/music/clip", 5.0)
    put(raw, "scales/laptop/training/bach/clip", 1000.0)
    found, before = load(raw, tmp_path), params.load(ROOT / "params.yaml")
    assert found.setup("mnist", "arvae").hyperparameters.clip == 1000.0
    assert found.setup("bach", "arvae").hyperparameters.clip == 5.0
    assert found.setup("bach", "betavae").hyperparameters.clip == 1000.0
    assert found.setup("mnist", "arvae").schedule == before.setup("mnist", "arvae").schedule
    assert found.setup("dsprites", "arvae") == before.setup("dsprites", "arvae")
