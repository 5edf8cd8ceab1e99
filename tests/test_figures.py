"""The figures: what they draw is right, their files are small and always the same bytes."""

import io
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from arvae import losses, params
from compendium import labels
from compendium.figures import animation, images, latent, metrics, music, schematic, sides, style
from compendium.tables.training import configuration

ROOT = Path(__file__).parents[1]


@pytest.fixture
def published() -> pd.DataFrame:
    return pd.read_csv(ROOT / "data" / "published" / "ar_vae_2020_metrics.csv")


def bars(z: np.ndarray) -> np.ndarray:
    """A decoder whose picture shows z: column c is inked up to the height (z_c + 4) / 8."""
    z = np.asarray(z)
    height = np.clip((z + 4) / 8, 0, 1)
    rows = np.linspace(1, 0, 12)[None, :, None]
    return (rows <= np.repeat(height, 3, axis=1)[:, None, :]).astype(np.float32)  # (m, 12, 3 d)


def a_figure() -> Figure:
    figure, axes = style.subplots(1, 2)
    axes[0].plot([0, 1, 4], label="β")
    axes[0].legend()
    axes[1].imshow(np.arange(12).reshape(3, 4))
    return figure


def test_files_are_the_same_bytes_every_time(tmp_path):
    for name in ("one", "two"):
        style.save(a_figure(), tmp_path / name, pdf=True)
    for suffix in ("png", "pdf"):
        assert (tmp_path / f"one.{suffix}").read_bytes() == (tmp_path / f"two.{suffix}").read_bytes()


def test_a_figure_too_large_is_refused_and_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr(style, "LIMIT", 1000)
    with pytest.raises(ValueError, match=r"big\.png has [\d,]+ bytes"):
        style.save(a_figure(), tmp_path / "big.png")
    assert list(tmp_path.iterdir()) == []


def test_a_vector_file_too_large_is_left_out_and_said(tmp_path, monkeypatch, capsys):
    figure = a_figure()
    figure.axes[0].plot(np.random.default_rng(0).random(50_000), ",")  # a path of 50,000 points
    size = style.save(figure, tmp_path / "f.png").stat().st_size
    monkeypatch.setattr(style, "LIMIT", size + 1)
    style.save(figure, tmp_path / "f.png", pdf=True)
    assert "f.pdf left out" in capsys.readouterr().out
    assert not (tmp_path / "f.pdf").exists()


@pytest.mark.parametrize("colours", [6, 1 << 24])
def test_a_palette_changes_no_picture_visibly(colours):
    rng = np.random.default_rng(0)
    palette = rng.integers(0, 256, (6, 3), dtype=np.uint8)
    noise = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    picture = palette[noise[..., 0] % 6] if colours == 6 else noise
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "png")
    small = style.shrink(buffer.getvalue())
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(small)).convert("RGB")), picture)
    assert (len(small) < len(buffer.getvalue())) == (colours == 6)


def test_a_shown_figure_carries_its_alt_text(tmp_path):
    shown = style.show(a_figure(), tmp_path / "f.png", "a line and a grid")
    data, metadata = shown._repr_mimebundle_()
    assert metadata["image/png"]["alt"] == "a line and a grid"
    assert len(data["image/png"]) > 100
    with pytest.raises(ValueError, match="no alt text"):
        style.show(a_figure(), tmp_path / "f.png", " ")


def test_a_caption_follows_its_figure(tmp_path, monkeypatch):
    formatter = InteractiveShell.instance().display_formatter
    outputs = []
    monkeypatch.setattr(style, "display", lambda *shown: outputs.extend(map(formatter.format, shown)))
    style.show(a_figure(), tmp_path / "f.png", "a line", caption="A line **rises**.")._ipython_display_()
    assert "image/png" in outputs[0][0]
    assert outputs[1][0]["text/markdown"] == "A line **rises**."
    assert outputs[1][1] == {"text/markdown": {"caption": True}}


def test_every_model_has_its_own_colour():
    assert len(set(labels.MODEL_COLOURS.values())) == len(labels.MODEL_COLOURS)


def test_names_are_written_for_people():
    assert labels.attribute_label("pitch_range") == "pitch range (/26 st)"
    assert labels.attribute_label("weight", "kg") == "weight (kg)"
    assert labels.model_label("own_model") == "own model"


def turned(items: int, attributes: int) -> np.ndarray:
    """Frames (items, attributes, 10, 12, 9) of `bars`, each attribute's own bar rising."""
    z = np.zeros((items, attributes, 10, 3), np.float32)
    for d in range(attributes):
        z[:, d, :, d] = images.VALUES
    return bars(z.reshape(-1, 3)).reshape(items, attributes, 10, 12, 9)


def test_image_figures_draw(tmp_path):
    frames = turned(3, 2)
    plane = bars(np.array([[x, y, 0] for y in (4, 0, -4) for x in (-4, 0, 4)])).reshape(3, 3, 12, 9)
    where = {"betavae": (2, 0), "arvae": (1, 5)}
    planes = images.planes(
        {"betavae": plane, "arvae": plane}, "slant", "y", np.array([-4.0, 0.0, 4.0]), where
    )
    sides = {"betavae, dimension 2": frames[:, 0], "arvae, dimension 3": frames[:, 0]}
    drawn = [
        images.traversals({"Slant": frames[:, 0]}, ["0", "1", "2"]),
        images.traversals(sides, ["0", "1", "2"]),
        planes,
        images.reconstructions(frames[0, 0], {"arvae": frames[0, 1]}),
    ]
    own = images.traversals(
        {"betavae": frames[0, :1], "arvae": frames[0]}, {"betavae": ["y, slant"], "arvae": ["y", "slant"]}
    )
    assert [len(axes.get_yticks()) for axes in own.axes] == [1, 2]
    high = images.traversals(dict.fromkeys(("betavae", "arvae"), np.zeros((10, 10, 28, 28), bool)), [""] * 10)
    high.draw_without_rendering()
    assert all(axes.get_tightbbox().y1 <= high.bbox.height for axes in high.axes)  # no title is clipped
    for number, figure in enumerate(drawn):
        assert style.save(figure, tmp_path / f"{number}.png").stat().st_size < style.LIMIT
    assert [axes.get_title(loc="left") for axes in drawn[1].axes] == [
        "β-VAE, dimension 2",
        "AR-VAE, dimension 3",
    ]
    assert [axes.get_xlabel() for axes in planes.axes] == ["slant → (dimension 2)", "slant → (dimension 1)"]
    assert planes.axes[1].get_ylabel() == "y → (dimension 5)"


@pytest.mark.parametrize(("given", "ink"), [(np.uint8(255), 1), (np.float32(0.5), 0.5), (np.True_, 1)])
def test_pictures_are_inked_however_they_come(given, ink):
    (frames,) = images.inked(np.full((2, 3, 4), given))
    assert frames.dtype == np.float32 and (frames == ink).all()


def test_animation_runs_from_0_forth_and_back_in_the_same_bytes(tmp_path):
    frames = turned(2, 3)[:, :, :9]
    names = ["rhythmic complexity", "y", "x"]
    models = {"betavae": frames, "arvae": frames}
    one = animation.gif(models, tmp_path / "one.gif", names, ["a", "b"])
    two = animation.gif(models, tmp_path / "two.gif", names, ["a", "b"])
    assert one.read_bytes() == two.read_bytes()
    with Image.open(one) as picture:
        assert picture.n_frames == 16  # 9 points there, 7 between the ends back
        assert picture.info["loop"] == 0
        shown = []
        for frame in range(16):
            picture.seek(frame)
            shown.append(np.asarray(picture.convert("L")))
    with Image.open(tmp_path / "one-frames.png") as picture:
        strip = np.split(np.asarray(picture.convert("L")), animation.frames_of(one))
    order = [next(k for k, one in enumerate(strip) if np.array_equal(one, frame)) for frame in shown]
    assert order == [4, 5, 6, 7, 8, 7, 6, 5, 4, 3, 2, 1, 0, 1, 2, 3]
    own = {"betavae": ["y, x"], "arvae": names}
    both = {"betavae": frames[:, :1], "arvae": frames}
    assert animation.gif(both, tmp_path / "own.gif", own, ["a", "b"]).stat().st_size
    with pytest.raises(ValueError, match="2 columns"):
        animation.gif({"arvae": frames}, tmp_path / "no.gif", ["x", "y"])
    assert animation.frames_of(tmp_path / "one-frames.png") == 0


@pytest.mark.parametrize(("items", "below"), [(4, True), (5, False)])
def test_three_models_move_one_below_the_other_while_the_items_are_few(tmp_path, items, below):
    frames = np.repeat(turned(2, 3)[:, :, :9], 3, axis=0)[:items]
    path = animation.gif(dict.fromkeys(("betavae", "betavae1", "arvae"), frames), tmp_path / "a.gif", "xyz")
    with Image.open(path) as picture:
        assert (picture.height > picture.width) == below
    assert animation.frames_of(path) == 9


def test_animation_shrinks_until_it_fits_or_says_so(tmp_path):
    rng = np.random.default_rng(0)
    frames = rng.random((2, 2, 9, 28, 28), dtype=np.float32)
    path = tmp_path / "a.gif"
    assert animation.gif({"arvae": frames}, path, ["x", "y"], limit=60_000).stat().st_size <= 60_000
    with pytest.raises(ValueError, match="show fewer items"):
        animation.gif({"arvae": frames}, path, ["x", "y"], limit=500)


def test_metric_boxes_draw_with_few_and_many_runs_and_without_reference(tmp_path, published):
    few = published[published.point < 2]
    assert len(metrics.boxes(few, published).axes) == 6
    assert metrics.boxes(published, published, ["scc"]).axes[0].get_title(loc="left") == "SCC"
    style.save(metrics.boxes(few[few.dataset == "mnist"]), tmp_path / "alone.png")
    with pytest.raises(ValueError, match="holds none of the metrics"):
        metrics.boxes(few, published, ["nonsense"])


def test_floors_and_ceilings_are_lines_across_their_data_sets(published):
    bounds = {"floor": {("scc", "mnist"): 0.1, ("mig", "mnist"): 0.0}, "ceiling": {}}
    figure = metrics.boxes(published[published.point < 2], None, ["scc"], bounds)
    (line,) = figure.axes[0].findobj(lambda part: isinstance(part, LineCollection))
    (((left, low), (right, high)),) = line.get_segments()
    assert low == high == 0.1 and round((left + right) / 2) == labels.DATASETS.index("mnist")
    assert [text.get_text() for text in figure.legends[0].texts][-1] == "floor"


@pytest.mark.parametrize("count", [1, 2, 6, len(labels.MODELS)])
def test_a_legend_names_every_model_within_its_figure_which_grows_for_it(count):
    scores = pd.DataFrame({"attribute": "x", "model": labels.MODELS[:count], "value": 0.5})
    figure = metrics.attribute_scores(scores, "scc")
    figure.draw_without_rendering()
    (legend,) = figure.legends
    box, (axes,) = legend.get_window_extent(), figure.axes
    assert [text.get_text() for text in legend.texts][:count] == list(labels.MODEL_LABELS.values())[:count]
    assert box.x0 >= 0 and box.x1 <= figure.bbox.width and box.y1 <= figure.bbox.height
    assert axes.bbox.height > 0.3 * figure.dpi and axes.get_tightbbox().y1 <= box.y0


def test_titles_fit_their_panels():
    metric = "digit_accuracy_reconstructed_relative_percent"
    scores = pd.DataFrame({"metric": metric, "dataset": "mnist", "model": ["arvae"], "value": 90.0})
    axes = metrics.boxes(scores, None, [metric]).axes[0]
    axes.figure.draw_without_rendering()
    (title,) = axes.findobj(lambda part: isinstance(part, Text) and part.get_text().startswith("Digits"))
    assert title.get_text().replace("\n", " ") == labels.metric_label(metric)
    assert title.get_window_extent().x1 <= axes.bbox.x1 + 1


def test_a_legend_names_only_what_is_drawn(published):
    ours = published[published.point < 2]
    ours = ours[(ours.model == "arvae") | (ours.metric != "scc")]
    legend = metrics.boxes(ours, published[published.metric != "scc"], ["scc"]).legends[0]
    assert [text.get_text() for text in legend.texts] == ["AR-VAE"]


def test_what_one_dimension_does_is_shown_once():
    dimensions = {"pitch_range": 3, "contour": 5, "note_density": 3}
    assert labels.sharing(dimensions) == {
        "pitch range, note density": ["pitch_range", "note_density"],
        "contour": ["contour"],
    }
    measures = np.full((5, 24), -1, np.int16)
    measures[1:, 0] = 60
    rows = dict.fromkeys(dimensions, measures)
    curves = {name: np.arange(5.0) + i for i, name in enumerate(dimensions)}
    rows, curves = music.once(rows, curves, dimensions)
    figure = music.roll(rows, curves)
    assert [axes.get_title("left") for axes in figure.axes[::2]] == list(rows)
    assert [len(axes.lines) for axes in figure.axes[1::2]] == [2, 1]
    assert [text.get_text() for text in figure.axes[0].texts] == ["empty"], "the first measure has no note"
    assert ">0.00, 2.00<" in music.score(rows, curves)


def test_every_run_is_a_point_while_runs_are_few(published):
    few = published[(published.point < 3) & (published.metric == "scc")]
    figure = metrics.boxes(few, None, ["scc"])
    drawn = np.concatenate([dots.get_offsets()[:, 1] for dots in figure.axes[0].collections])
    np.testing.assert_allclose(sorted(drawn), sorted(few.value))


def test_training_curves_leave_out_what_is_not_there(tmp_path):
    steps = np.arange(30)
    history = pd.DataFrame(
        {"epoch": steps / 10, "loss": 1000.0 / (steps + 1), "kl": steps, "regularization": 0.0}
    )
    history["validation_loss"] = np.where(steps % 10 == 0, history.loss, np.nan)
    figure = metrics.training_curves({"arvae": {"seed0": history}})
    assert [a.get_title(loc="left") for a in figure.axes] == ["loss", "KL divergence"]
    scales = [(axes.get_xscale(), axes.get_yscale()) for axes in figure.axes]
    assert scales == [("linear", "log"), ("linear", "linear")], "logarithmic where nothing is 0"
    style.save(figure, tmp_path / "curves.png")
    with pytest.raises(ValueError, match="none of the terms"):
        metrics.training_curves({"arvae": {"seed0": history[["epoch"]]}})


def test_hyperparameter_figures_draw(tmp_path):
    study = pd.read_csv(ROOT / "data" / "published" / "ar_vae_2020_hyperparameters_mnist.csv")
    part = study[study.gamma > 1]
    style.save(metrics.hyperparameter_scatter(part, study, (0.4, 94.5)), tmp_path / "s.png")
    style.save(metrics.hyperparameter_scatter(part, study, (0.4, 97.0)), tmp_path / "s.png")
    style.save(metrics.hyperparameter_map(part, study), tmp_path / "m.png")
    scores = pd.DataFrame(
        {"attribute": ["x", "x", "y"], "model": ["betavae", "arvae", "arvae"], "value": 0.5}
    )
    style.save(metrics.attribute_scores(scores, "scc"), tmp_path / "a.png")


def test_latent_figures_draw(tmp_path):
    rng = np.random.default_rng(0)
    z, a = rng.normal(size=(400, 12)), rng.normal(size=(400, 2))
    matrix = rng.random((2, 12))
    values = np.linspace(-4, 4, 7)
    grid = np.add.outer(values, values)
    holed = np.where(grid > 5, np.nan, grid)
    where = {"betavae": (0, 1), "arvae": (10, 11)}
    drawn = [
        latent.information(matrix, "arvae", ["x", "y"], [10, 11]),
        latent.information(matrix, "glsr", ["x", "y"]),
        latent.regularized(z, a, ["x", "y"], [10, 11]),
        latent.distribution({"betavae": z, "arvae": z}, a[:, 0], "x", where),
        latent.surface({"betavae": grid, "arvae": holed}, "x", where, values),
        latent.pair_plot(np.column_stack([a, np.ones(400)]), ["x", "y", "shape"]),
    ]
    for number, figure in enumerate(drawn):
        assert style.save(figure, tmp_path / f"{number}.png").stat().st_size < style.LIMIT
    bar = latent.surface({"arvae": np.full((7, 7), 6.0)}, "x", where, values).axes[-1]
    assert bar.get_ylim() == (5.5, 6.5)  # the same everywhere
    with pytest.raises(ValueError, match="nothing could be measured"):
        latent.surface({"arvae": np.full((7, 7), np.nan)}, "x", where, values)


def test_schematic_shows_the_loss_that_training_uses(tmp_path):
    rng = np.random.default_rng(1)
    z, a = rng.normal(size=16), rng.integers(0, 4, 16).astype(float)
    figure = schematic.method(z, a, "slant", 3.0, rng.random((16, 8, 8)))
    matrices = {
        axes.get_title(): axes.images[0].get_array()
        for axes in figure.axes
        if axes.get_title() and axes.images
    }
    expected = losses.attribute_regularization(torch.tensor(z)[:, None], torch.tensor(a)[:, None], delta=3.0)
    residual = next(matrix for title, matrix in matrices.items() if title.startswith("$|"))
    assert len(matrices) == 5 and residual.mean() == pytest.approx(float(expected), abs=1e-6)
    assert any(f"{float(expected):.2f}" in axes.get_xlabel() for axes in figure.axes)
    style.save(figure, tmp_path / "s.png")
    with pytest.raises(ValueError, match="one column each"):
        schematic.method(z[:, None], a, "slant", 3.0, rng.random((16, 8, 8)))


def test_rolls_show_onsets_darker_than_what_is_held_and_rests_not_at_all(tmp_path):
    measure = np.full((1, 24), -1)
    measure[0, :4] = [60, -1, -2, -1]  # a note of two ticks, then a rest
    measure[0, 12] = 62
    roll = images.piano_rolls(measure, (59, 62))[0, :: images.PIXELS]  # (4 pitches, 72), 62 on top
    assert roll[2, : 3 * 3].tolist() == [1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0, 0, 0]
    assert roll[0, 36] == 1.0 and (roll[0, 37:] == 0.5).all()
    assert not roll[1].any() and not roll[3].any() and not roll[:, 9:36].any()
    assert images.span(np.full((2, 24), -2))[0] < images.span(np.full((2, 24), -2))[1]
    measures = np.repeat(measure, 8, axis=0).astype(np.int16)
    figure = images.reconstructions(measures, {"arvae": np.roll(measures, 1, axis=1)})
    assert "AR-VAE" in figure.axes[0].get_xlabel()
    style.save(figure, tmp_path / "r.png")


def test_words_for_lists_epochs_and_transformed_attributes():
    assert [labels.listed(list("abc"[:n])) for n in (1, 2, 3)] == ["a", "a and b", "a, b and c"]
    assert [labels.epochs(n) for n in (1, 0.75, 4)] == ["1 epoch", "0.75 epochs", "4 epochs"]
    assert labels.attribute_label(labels.attribute_names(["pitch range"], {})[0]) == "pitch range (/26 st)"
    (name,) = labels.attribute_names(["pitch_range"], {"transform": "power"})
    assert labels.attribute_label(name) == "pitch range (transformed)"


def test_a_training_page_lists_only_the_dimensions_that_its_loss_orders():
    known = params.load(ROOT / "params.yaml")

    def listed(dataset, model):
        setup, training = known.setup(dataset, model), np.zeros(5)
        table = configuration(setup, SimpleNamespace(name=dataset, train=training))
        return table.value["attributes → dimensions"]

    assert listed("bach", "arvae").startswith("rhythmic complexity → z0, pitch range → z1")
    assert listed("bach", "glsr") == "rhythmic complexity → z0, note density → z2"
    assert listed("bach", "betavae").startswith("none (monitored: rhythmic complexity")
    assert listed("mnist", "fader").startswith("none: the decoder is given area, length")


def test_the_two_attributes_to_show_are_known_and_else_the_first():
    assert labels.attribute_pair("mnist", ["area", "thickness", "slant"]) == ("slant", "thickness")
    assert labels.attribute_pair("mnist-thin", ["area", "thickness", "slant"]) == ("slant", "thickness")
    assert labels.attribute_pair("mnist", ["area", "width"]) == ("area", "width")
    assert labels.attribute_pair("own", ["weight"]) == ("weight", "weight")


class Classes:
    """What `sides` asks of a data set of digits."""

    kind, name = "images", "mnist"

    def __init__(self):
        rng = np.random.default_rng(0)
        labels = np.arange(40) % 10
        attributes = np.column_stack([labels, rng.normal(size=40)])
        x = rng.integers(0, 256, (40, 12, 9), dtype=np.uint8)
        self.test = SimpleNamespace(x=x, attributes=attributes, extra={"label": labels})


class Moved:
    """What `sides` asks of a trained model: `bars`, slant along dimension 0, width along 2."""

    attribute_names, columns = ("slant", "width"), {"slant": 0, "width": 2}

    def dimension_of(self, name):
        return self.columns[name]

    def traverse(self, z, name, values):
        codes = np.repeat(z[None], len(values), axis=0)
        codes[:, :, self.columns[name]] = np.asarray(values)[:, None]
        return bars(codes.reshape(-1, 3)).reshape(len(values), len(z), 12, 9)

    def measure(self, frames):
        return np.stack([frames[:, :, 0].mean(axis=1), frames[:, :, 8].mean(axis=1)], axis=1)


def a_side(index) -> sides.Side:
    z = np.random.default_rng(1).normal(size=(len(index), 3)).astype(np.float32)
    return sides.Side(Moved(), z, z, np.asarray(index), {})


def test_the_most_ordinary_item_of_each_class_is_shown():
    data, side = Classes(), a_side(np.arange(40)[::-1])
    names, items = sides.one_of_each(data, side)
    assert names == [str(digit) for digit in range(10)]
    place = side.index[items]
    assert data.test.extra["label"][place].tolist() == list(range(10))
    values = data.test.attributes[3::10, 1]
    middle = np.abs(values - np.median(values))
    assert middle.argmin() == place[3] // 10 or np.isclose(middle[place[3] // 10], middle.min())
    shown = sides.originals(data, side, items)
    np.testing.assert_array_equal(shown[0], data.test.x[place[0]])


def test_a_side_moves_the_dimension_of_each_attribute_and_measures_it():
    side, values = a_side([0, 1]), np.array([-4.0, 0.0, 4.0])
    moved = side.turned(np.array([1]), ["slant", "width"], values)
    assert moved.shape == (1, 2, 3, 12, 9)
    inked = [side.model.measure(moved[0, k])[:, k] for k in range(2)]
    assert all(np.all(np.diff(curve) > 0) for curve in inked)


def test_a_cell_not_yet_evaluated_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="dvc repro evaluate@mnist-arvae"):
        sides.load(tmp_path, Classes(), "arvae")


def test_how_far_training_has_levelled_is_said_from_its_history():
    history = pd.DataFrame({"step": [10, 50, 80, 90, 100], "validation_reconstruction": [9, 5, 4.0, None, 3]})
    other = history.assign(validation_reconstruction=[9, 5, 2.0, None, 1])
    assert metrics.levelled({"a": history, "b": other}).endswith("went from 3 to 2.")
    assert metrics.levelled({"a": history[["step"]]}) == ""


def test_steadiness_is_the_mean_over_runs_and_attributes():
    def run(x, y):
        found = {"x": {"monotonicity": x}, "y": {"monotonicity": y}}
        return {"details": {"controllability": {"fixed": {"per_attribute": found}}}}

    side = SimpleNamespace(report={"runs": {"seed0": run(-0.5, 0.9), "seed1": run(0.7, 0.9)}})
    assert "0.75 with AR-VAE" in sides.steadiness({"arvae": side})
    assert "dimension and measured x is 0.60" in sides.steadiness({"arvae": side}, "x")
    nothing = SimpleNamespace(report={"runs": {"seed0": {"details": {"controllability": None}}}})
    assert sides.steadiness({"arvae": nothing}) == ""


def test_three_models_with_rows_of_their_own_are_drawn_one_below_the_other():
    frames = {name: np.zeros((2, 10, 8, 8), bool) for name in ("betavae", "betavae1", "arvae")}
    figure = images.traversals(frames, dict.fromkeys(frames, ["x", "y"]))
    assert {axes.get_subplotspec().get_gridspec().get_geometry() for axes in figure.axes} == {(3, 1)}
    shown = images.traversals({f"{name}, dimension 1": one for name, one in frames.items()}, ["x", "y"])
    assert shown.axes[1].get_title(loc="left") == "β-VAE (β = 1)\ndimension 1"
