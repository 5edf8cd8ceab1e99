"""The benchmarks: both programs train and are judged alike, and what is printed follows from the numbers."""

import pytest
import torch

from arvae import models, objectives
from arvae.training.batches import Source
from benchmarks import common, images, music
from tests.small import music_dataset


@pytest.mark.parametrize(
    ("name", "forced"), [("mnist", None), ("dsprites", None), ("bach", True), ("bach", False)]
)
def test_both_programs_have_the_same_loss_and_gradients(name, forced):
    """For the same weights, examples and noise, in float64; without dropout, whose random numbers differ."""
    setup = common.cell_of(name, "engine-float32")
    if name != "dsprites":
        setup = setup.model_copy(
            update={"architecture": setup.architecture.model_copy(update={"dropout": 0.0})}
        )
    bench = music if name == "bach" else images
    data = bench.random_data(setup, 64)
    size = {"vocabulary_size": None, "image_size": data.train.x.shape[-1]}
    if name == "bach":
        size = {"vocabulary_size": data.vocabulary.size, "image_size": None}
    generator = torch.Generator().manual_seed(7)
    engine = models.build(setup, generator=generator, **size).double()
    plain = music.PlainMeasureVAE(music.VOCABULARY, 0.0) if name == "bach" else images.PlainVAE(setup)
    pairs = list(zip(engine.parameters(), plain.double().parameters(), strict=True))
    with torch.no_grad():
        for one, other in pairs:
            assert one.shape == other.shape
            other.copy_(one)
    engine.forced = forced
    x, attributes = Source(data, data.train, setup).take(torch.arange(64))
    x = x if name == "bach" else x.double()
    terms = objectives.find("vae")(engine, x, attributes, setup, generator.manual_seed(8))
    torch.manual_seed(8)
    loss = bench.plain_loss(plain, x, attributes, setup, *([] if forced is None else [forced]))
    assert terms["loss"].item() == pytest.approx(loss.item(), rel=1e-9)
    terms["loss"].backward()
    loss.backward()
    for one, other in pairs:
        assert (one.grad - other.grad).norm() <= 1e-9 * other.grad.norm()


def test_both_programs_learn_and_are_judged_by_the_same_scores(tmp_path):
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    music_dataset().save(tmp_path / "bach")
    found = [
        common.child_learn(music.BENCH, program, "bach", 2, 0, tmp_path) for program in ("ordinary", "engine")
    ]
    torch.set_num_threads(before)
    assert found[0].keys() == found[1].keys()
    assert all(0 <= one["reconstruction accuracy"] <= 1 and one["reconstruction (nats)"] > 0 for one in found)


def test_a_step_is_timed_on_random_data():
    before = torch.get_num_threads()
    found = common.child_speed(music.BENCH, "engine", "bach", 1)
    torch.set_num_threads(before)
    assert found["seconds"] > 0 and found["peak"] > 1e9


def test_a_profile_names_the_operators_that_take_the_time():
    before = torch.get_num_threads()
    shares = common.child_profile(music.BENCH, "engine", "bach", 1)
    torch.set_num_threads(before)
    assert sum(shares.values()) == pytest.approx(1.0)
    *operators, others = shares
    assert [shares[name] for name in operators] == sorted(map(shares.get, operators), reverse=True)
    assert shares["mm"] > 0.1  # matrix products: what the rest is to disappear beside
    assert others == common.OTHERS and 0 < shares[others] < 0.9  # compiled kernels, among other things


def test_random_data_have_the_shape_of_the_real_ones():
    for name, shape in (("dsprites", (64, 64)), ("mnist", (28, 28))):
        data = images.random_data(common.cell_of(name, "engine"), 4)
        assert data.train.x.shape == (4, *shape)
    setup = common.cell_of("bach", "engine-float32")
    assert setup.engine.precision == "float32" and music.random_data(setup, 8).train.x.shape == (8, 24)


def test_the_ways_and_their_table():
    ways = common.ways(2, "bfloat16")
    assert [(way.program, way.processes, way.threads) for way in ways] == [
        ("ordinary", 2, 1), ("ordinary", 1, None), ("engine", 2, 1), ("engine-float32", 2, 1)
    ]  # fmt: skip
    assert len(common.ways(2, "float32")) == 3
    best = {way: {"rate": 100.0 * 2**i, "peak": 1e12} for i, way in enumerate(ways)}
    lines = common.lines("images", "mnist", 1e9, best)
    assert len(lines) == 5 and "1,000 MFLOP" in lines[0]
    assert "engine, 2 processes" in lines[3] and "400 images/s" in lines[3]
    assert "4.00 x" in lines[3] and "2.00 x" in lines[3] and "400 of 1,000 GFLOP/s (40 %)" in lines[3]


def test_equal_means_within_the_noise_of_seeds():
    assert "equal within seed noise (±0.141)" in common.agreement([0.5, 0.6], [0.55, 0.55])
    assert "NOT EQUAL" in common.agreement([0.5, 0.51], [0.8, 0.81])
    assert "ordinary 0.500, engine 0.510, difference +0.010: equal" in common.agreement([0.5], [0.51])
