"""Parts of data sets: nothing of what is left out is trained on, what is not labelled teaches nothing."""

import numpy as np
import pytest
import torch

from arvae import datasets, models
from arvae.datasets import dsprites, partial
from arvae.datasets.contract import SPLITS, DataError
from arvae.models import semisupervised, vae
from arvae.training.batches import Source
from compendium.tables.data import describe
from tests.small import PARAMS, music_dataset, small_setup, sprites_dataset

GAP = PARAMS.sources["dsprites-gap"].leave_out


@pytest.fixture(scope="module")
def sprites():
    return sprites_dataset()


def test_nothing_of_the_region_is_in_training_or_validation_and_all_else_is(sprites):
    made = partial.leave_out(sprites, GAP)
    for part in ("train", "validation"):
        before, after = sprites.split(part), made.split(part)
        kept = ~partial.inside(dsprites.NAMES, before.attributes, GAP)
        assert 0 < kept.sum() == len(after) < len(before)
        assert not partial.inside(dsprites.NAMES, after.attributes, GAP).any()
        np.testing.assert_array_equal(after.attributes, before.attributes[kept])
        np.testing.assert_array_equal(np.asarray(after.x), np.asarray(before.x)[kept])
        np.testing.assert_array_equal(after.extra["factors"], before.extra["factors"][kept])
    assert made.test is sprites.test and partial.inside(dsprites.NAMES, made.test.attributes, GAP).any()
    assert "shape 2, scale 0.75 to 1, x 0 to 0.5" in describe(made)


def test_of_the_unseen_combination_every_two_values_are_seen():
    grid = np.stack(np.meshgrid(range(3), range(6), [0], range(32), [0], indexing="ij"), -1).reshape(-1, 5)
    unseen = partial.inside(dsprites.NAMES, dsprites.attributes(grid), GAP)
    assert unseen.mean() == pytest.approx(1 / 12)
    for two in ([0, 1], [0, 3], [1, 3]):
        seen = set(map(tuple, grid[~unseen][:, two]))
        assert set(map(tuple, grid[unseen][:, two])) <= seen


def test_bounds_are_included_and_may_be_missing():
    values = np.array([[1.0], [2.0], [3.0]], np.float32)
    for bounds, within in {(2, None): [0, 1, 1], (None, 2): [1, 1, 0], (2, 2): [0, 1, 0]}.items():
        assert partial.inside(["a"], values, {"a": bounds}).tolist() == [bool(w) for w in within]


def test_a_data_set_like_another_is_prepared_without_the_region(tmp_path):
    sizes = {"train": 300, "validation": 60, "test": 90}
    made = [
        datasets.prepare(
            name, sizes, "drawn", tmp_path / name, tmp_path, tmp_path, like="dsprites", leave_out=region,
            log=lambda line: None,
        )
        for name, region in {"gap": GAP, "whole": None}.items()
    ]  # fmt: skip
    gap, whole = datasets.load("gap", tmp_path / "gap"), made[1]
    assert len(gap.train) < len(whole.train) == 300 and gap.provenance["like"] == "dsprites"
    np.testing.assert_array_equal(gap.test.attributes, whole.test.attributes)
    assert gap.provenance[partial.LEFT_OUT]["scale"] == [0.75, 1]


def test_labels_are_of_a_share_and_a_larger_share_has_the_smaller_ones():
    data = music_dataset(train=200)
    few, many = (partial.label(data, share) for share in (0.05, 0.5))
    known = [(made.train.attributes > partial.UNKNOWN).all(axis=1) for made in (few, many)]
    assert [rows.sum() for rows in known] == [10, 100] and not (known[0] & ~known[1]).any()
    for made, rows in zip((few, many), known, strict=True):
        np.testing.assert_array_equal(made.train.attributes[rows], data.train.attributes[rows])
        assert (made.train.attributes[~rows] == partial.UNKNOWN).all()
        np.testing.assert_array_equal(made.train.x, data.train.x)
        assert made.validation is data.validation and made.test is data.test
    assert len(partial.labelled(few).train) == 10 and partial.labelled(data) is data
    assert "10 of its 200 training examples" in describe(few)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (
            lambda d: partial.leave_out(d, {"size": (0, 1)}),
            "leave_out names 'size': give one of shape, scale",
        ),
        (lambda d: partial.leave_out(d, {"scale": (2, None)}), "scale from 2 holds none of the 256 train"),
        (lambda d: partial.leave_out(d, {"scale": (None, 1)}), "scale up to 1 holds all of the 256 train"),
        (lambda d: partial.label(d, 0.001), "labelled 0.001 is less than one of 256 training examples"),
    ],
)
def test_what_cannot_be_left_out_or_labelled_is_refused(sprites, make, says):
    with pytest.raises(DataError, match=says):
        make(sprites)


def step(loss, setup, x, attributes):
    """Terms of a loss and the gradient of all weights, from the same weights and noise."""
    network = models.build(setup).train()
    models.set_generator(network, torch.Generator().manual_seed(1))
    with torch.random.fork_rng():
        torch.manual_seed(2)
        terms = loss(network, x, attributes, setup, torch.Generator().manual_seed(3))
    terms["loss"].backward()
    gradient = torch.cat([p.grad.flatten() for p in network.parameters()])
    return {name: term.item() for name, term in terms.items()}, gradient


@pytest.fixture(scope="module")
def batch():
    random = torch.Generator().manual_seed(0)
    return torch.rand((6, 1, 28, 28), generator=random), torch.rand((6, 6), generator=random)


def test_with_all_labelled_it_is_ar_vae_s_loss(batch):
    setup = small_setup("mnist", "arvae")
    ours, theirs = (step(module.loss, setup, *batch) for module in (semisupervised, vae))
    assert ours[0] == pytest.approx(theirs[0])
    torch.testing.assert_close(ours[1], theirs[1])


def test_only_labelled_examples_are_put_in_order(batch):
    x, attributes = batch
    setup = small_setup("mnist-10", "semisupervised")
    some = attributes.clone()
    some[[0, 3]] = semisupervised.UNKNOWN
    other = x.clone()
    other[[0, 3]] = 1 - other[[0, 3]]  # what they look like must not matter to L_AR; batch statistics: none
    first, second = (step(semisupervised.loss, setup, given, some)[0] for given in (x, other))
    assert first["regularization"] == pytest.approx(second["regularization"], rel=1e-5)
    assert first["regularization"] != pytest.approx(
        step(semisupervised.loss, setup, x, attributes)[0]["regularization"]
    )


@pytest.mark.parametrize("labels", [0, 1])
def test_without_a_pair_of_labels_it_is_a_beta_vae(batch, labels):
    x, attributes = batch
    few = torch.full_like(attributes, semisupervised.UNKNOWN)
    few[:labels] = attributes[:labels]
    terms, gradient = step(semisupervised.loss, small_setup("mnist-10", "semisupervised"), x, few)
    plain = step(vae.loss, small_setup("mnist", "betavae1"), x, attributes)
    assert terms["regularization"] == 0 and terms["loss"] == pytest.approx(plain[0]["loss"])
    torch.testing.assert_close(gradient, plain[1])


def test_what_the_data_mark_as_unknown_the_loss_knows():
    data = partial.label(sprites_dataset(), 0.5)
    setup = small_setup("dsprites", "arvae")
    _, attributes = Source(data, data.train, setup).take(torch.arange(len(data.train)))
    assert (attributes > semisupervised.UNKNOWN).all(dim=1).sum() == 128
    assert partial.UNKNOWN == semisupervised.UNKNOWN, "written twice: models know no data sets"
    assert all(len(data.split(part)) == len(sprites_dataset().split(part)) for part in SPLITS)
