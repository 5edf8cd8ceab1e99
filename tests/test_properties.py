"""What must hold for any input: losses and metrics under permutation, shift, scale and any monotonic map."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from arvae import losses, metrics
from arvae.evaluation import control
from arvae.metrics.dmig import carried_attributes, dmig
from arvae.training import checkpoints

QUICK = settings(max_examples=30, deadline=None)
CODES = arrays(np.float64, (6, 2), elements=st.integers(-40, 40).map(lambda n: n / 8))  # exact, with ties
DELTAS = st.sampled_from([0.5, 1.0, 10.0])


def regularization(z, a, delta):
    return losses.attribute_regularization(torch.from_numpy(z), torch.from_numpy(a), delta).item()


@QUICK
@given(CODES, CODES, DELTAS, st.permutations(range(6)))
def test_regularization_knows_no_order_of_the_batch(z, a, delta, order):
    here = regularization(z, a, delta)
    assert 0 <= here <= 2 * z.shape[1]
    assert regularization(z[list(order)], a[list(order)], delta) == pytest.approx(here, abs=1e-12)


@QUICK
@given(CODES, CODES, DELTAS, st.integers(-5, 5), st.integers(1, 9))
def test_regularization_sees_only_the_order_of_attributes_and_differences_of_codes(z, a, delta, shift, scale):
    here = regularization(z, a, delta)
    assert regularization(z + shift, a, delta) == pytest.approx(here, abs=1e-12)
    assert regularization(z, scale * a**3 + shift, delta) == here
    assert regularization(-z, -a, delta) == pytest.approx(here, abs=1e-12)
    assert regularization(z * 2, a, delta) == pytest.approx(regularization(z, a, 2 * delta), abs=1e-12)


@QUICK
@given(CODES, CODES, DELTAS)
def test_regularization_adds_over_attributes(z, a, delta):
    each = sum(regularization(z[:, [c]].copy(), a[:, [c]].copy(), delta) for c in range(2))
    assert regularization(z, a, delta) == pytest.approx(each, abs=1e-12)


@QUICK
@given(st.permutations(range(6)))
def test_codes_in_the_attributes_order_cost_nothing_and_in_the_reverse_most(order):
    a = np.array(order, dtype=np.float64)[:, None]
    assert regularization(100 * a, a, 1.0) == pytest.approx(0, abs=1e-12)
    assert regularization(-100 * a, a, 1.0) == pytest.approx(2 * 30 / 36)  # all pairs but the diagonal


@QUICK
@given(CODES, arrays(np.float64, (6, 2), elements=st.integers(-16, 16).map(lambda n: n / 8)))
def test_divergence_is_never_negative_and_zero_at_the_prior_only(mean, log_std):
    kl = losses.kl_divergence(torch.from_numpy(mean), torch.from_numpy(log_std)).item()
    assert kl >= 0
    assert (kl < 1e-12) == (not mean.any() and not log_std.any())


ROWS, SEEDS = 40, st.integers(0, 10_000)


def sample(seed):
    """Codes (40, 4) of which some carry the two attributes (40, 2), one of them discrete."""
    generator = np.random.default_rng(seed)
    a = np.column_stack([generator.standard_normal(ROWS), generator.integers(0, 3, ROWS)])
    z = generator.standard_normal((ROWS, 4))
    z[:, :2] = generator.uniform(0, 1, 2) * z[:, :2] + a
    return z, a, generator


def scores(z, a):
    return metrics.evaluate(z, a, ["a", "b"], workers=1)


@QUICK
@given(SEEDS)
def test_scores_are_shares(seed):
    z, a, _ = sample(seed)
    result = scores(z, a)
    for name in ("interpretability", "modularity", "sap", "scc", "mig"):
        assert 0 <= result[name] <= 1 + 1e-9, name
    for values in result["per_attribute"].values():
        assert -1 <= values["spearman"] <= 1 and 0 <= values["dimension"] < 4


@QUICK
@given(SEEDS, st.floats(0.1, 10), st.floats(-5, 5))
def test_scores_of_ranks_and_lines_do_not_change_with_the_unit(seed, scale, shift):
    z, a, _ = sample(seed)
    rho = metrics.spearman_matrix(z, a)
    r2 = metrics.r2_matrix(z, a)
    np.testing.assert_allclose(metrics.spearman_matrix(scale * z + shift, a), rho, atol=1e-12)
    np.testing.assert_allclose(metrics.spearman_matrix(-z, np.exp(a)), -rho, atol=1e-12)
    np.testing.assert_allclose(metrics.r2_matrix(-scale * z + shift, a * scale - shift), r2, atol=1e-9)


@QUICK
@given(SEEDS)
def test_scores_know_no_order_of_rows_and_dimensions(seed):
    z, a, generator = sample(seed)
    rows, columns = generator.permutation(ROWS), generator.permutation(4)
    for matrix in (metrics.r2_matrix, metrics.spearman_matrix):
        expected = matrix(z, a)[columns]
        np.testing.assert_allclose(matrix(z[rows][:, columns], a[rows]), expected, atol=1e-12)
    information = np.abs(generator.standard_normal((4, 2)))
    entropy = np.array([1.0, 2.0])
    expected = metrics.mig(information, entropy)
    np.testing.assert_allclose(metrics.mig(information[columns], entropy), expected)
    np.testing.assert_allclose(
        metrics.modularity(information[columns]), metrics.modularity(information)[columns]
    )
    np.testing.assert_allclose(metrics.modularity(3 * information[:, ::-1]), metrics.modularity(information))


# ------------------------------------------------------------------ the other terms of the loss

PICTURES = arrays(np.float64, (3, 1, 2, 2), elements=st.integers(-64, 64).map(lambda n: n / 4))


@QUICK
@given(PICTURES, st.permutations(range(3)), st.permutations(range(4)))
def test_images_reconstruction_knows_no_order_and_no_colour(logits, rows, pixels):
    """Nor black from white; 0 where it is certain and right, the larger the surer it is wrong."""
    x = (np.abs(logits) % 1.0).round(1)

    def cost(logits, x):
        return losses.reconstruction_images(torch.from_numpy(logits), torch.from_numpy(x)).item()

    here = cost(logits, x)
    assert here >= 0
    moved = [a[list(rows)].reshape(3, 1, 4)[:, :, list(pixels)].reshape(3, 1, 2, 2) for a in (logits, x)]
    assert cost(*moved) == pytest.approx(here)
    assert cost(-logits, 1 - x) == pytest.approx(here)
    assert cost(np.concatenate([logits] * 2), np.concatenate([x] * 2)) == pytest.approx(
        here
    )  # a mean of images
    assert sum(cost(logits[[i]], x[[i]]) for i in range(3)) / 3 == pytest.approx(here)
    assert cost(np.where(x > 0.5, 800.0, -800.0), (x > 0.5).astype(float)) == 0
    assert cost(np.abs(logits) + 1, np.zeros_like(x)) < cost(np.abs(logits) + 2, np.zeros_like(x))


@QUICK
@given(
    arrays(np.float64, (3, 4, 5), elements=st.integers(-64, 64).map(lambda n: n / 4)),
    arrays(np.int64, (3, 4), elements=st.integers(0, 4)),
    st.permutations(range(3)),
    st.permutations(range(4)),
    st.permutations(range(5)),
    st.integers(-9, 9),
)
def test_music_reconstruction_knows_no_order_and_no_level(logits, tokens, rows, ticks, symbols, shift):
    def cost(logits, tokens):
        return losses.reconstruction_music(
            torch.from_numpy(logits.copy()), torch.from_numpy(tokens.copy())
        ).item()

    here, name = cost(logits, tokens), np.argsort(symbols)  # symbol s is called name[s] now
    assert here >= 0
    assert cost(logits[rows][:, ticks], tokens[rows][:, ticks]) == pytest.approx(here)
    assert cost(logits[..., symbols], name[tokens]) == pytest.approx(here)
    assert cost(logits + shift, tokens) == pytest.approx(here)
    assert cost(np.repeat(logits, 2, axis=1), np.repeat(tokens, 2, axis=1)) == pytest.approx(
        here
    )  # a mean of ticks
    assert cost(np.zeros_like(logits), tokens) == pytest.approx(np.log(5))
    assert cost(800.0 * np.eye(5)[tokens], tokens) == pytest.approx(0)


@QUICK
@given(st.floats(0, 1e3), st.floats(0, 1e2), st.floats(0, 1e3))
def test_penalty_is_beta_times_the_distance_from_the_capacity(kl, beta, capacity):
    here = losses.kl_penalty(torch.tensor(kl, dtype=torch.float64), beta, capacity).item()
    assert here >= 0
    mirrored = losses.kl_penalty(torch.tensor(2 * capacity - kl, dtype=torch.float64), beta, capacity).item()
    assert mirrored == pytest.approx(here, rel=1e-9, abs=1e-9)
    assert losses.kl_penalty(torch.tensor(capacity, dtype=torch.float64), beta, capacity) == 0
    plain = losses.kl_penalty(torch.tensor(abs(kl - capacity), dtype=torch.float64), 1.0).item()
    assert here == pytest.approx(beta * plain, rel=1e-9, abs=1e-9)


# ------------------------------------------------------------------ gaps and traversals

SHARES = arrays(np.float64, (4, 2), elements=st.integers(0, 64).map(lambda n: n / 64))


@QUICK
@given(SHARES, st.permutations(range(4)), st.integers(0, 3))
def test_sap_is_the_gap_of_two_dimensions_in_any_order(r2, order, given_dimension):
    gaps = metrics.sap(r2)
    assert ((gaps >= 0) & (gaps <= r2.max(axis=0))).all()
    np.testing.assert_allclose(metrics.sap(r2[list(order)]), gaps)
    np.testing.assert_allclose(metrics.sap(r2[:, ::-1]), gaps[::-1])
    np.testing.assert_allclose(metrics.sap(np.vstack([r2, r2])), 0)  # every dimension twice: no gap
    np.testing.assert_allclose(metrics.sap(r2 / 2), gaps / 2)
    along = metrics.sap(r2, np.array([given_dimension, given_dimension]))
    own, others = r2[given_dimension], np.delete(r2, given_dimension, axis=0).max(axis=0)
    np.testing.assert_allclose(along, own - others)
    assert (along <= gaps + 1e-12).all()


@QUICK
@given(SHARES, st.permutations(range(4)), st.floats(0, 0.9))
def test_dmig_is_mig_for_independent_attributes_and_larger_for_dependent_ones(information, order, shared):
    entropy = np.array([1.5, 2.0])
    carried = carried_attributes(information)

    def score(information, carried, between):
        return dmig(information, entropy, lambda i, other: between, carried)

    plain = metrics.mig(information, entropy)
    np.testing.assert_allclose(score(information, carried, 0.0), plain)
    np.testing.assert_allclose(score(information, [None] * 4, shared), plain)
    more = score(information, carried, shared)
    assert ((more >= plain - 1e-12) & (more <= plain / (1 - shared / entropy) + 1e-12)).all()
    best = np.sort(information, axis=0)[::-1]
    if (best[0] > best[1]).all() and (best[1] > best[2]).all():  # else the first of equals is taken
        order = list(order)
        moved = score(information[order], [carried[i] for i in order], shared)
        np.testing.assert_allclose(moved, more)


TURNS = arrays(np.float64, (3, 6), elements=st.integers(-16, 16).map(lambda n: n / 4))
POINTS = np.array([-4.0, -2.0, -1.0, 0.0, 1.0, 5.0])


@QUICK
@given(TURNS, st.permutations(range(6)), st.permutations(range(3)))
def test_monotonicity_and_span_see_what_they_should(measured, order, rows):
    order, rows = list(order), list(rows)
    rho, span = control.monotonicity(POINTS, measured), control.span(measured)
    assert (np.abs(rho) <= 1 + 1e-12).all() and (span >= 0).all()
    assert ((span == 0) == (np.ptp(measured, axis=1) == 0)).all() and (rho[span == 0] == 0).all()
    again = control.monotonicity(POINTS[order], measured[rows][:, order])  # points in any order
    np.testing.assert_allclose(again, rho[rows], atol=1e-12)
    np.testing.assert_allclose(control.monotonicity(POINTS**3, np.exp(measured)), rho, atol=1e-12)
    np.testing.assert_allclose(control.monotonicity(-POINTS, measured), -rho, atol=1e-12)
    np.testing.assert_allclose(control.span(measured[rows][:, order]), span[rows])
    np.testing.assert_allclose(control.span(5 - 2 * measured), 2 * span)
    rising = np.sort(measured, axis=1) + 0.1 * np.arange(6)
    np.testing.assert_allclose(control.monotonicity(POINTS, rising), 1)
    holed = np.insert(measured, 2, np.nan, axis=1)  # a point that could not be measured counts for nothing
    np.testing.assert_allclose(control.span(holed), span)
    np.testing.assert_allclose(control.monotonicity(np.insert(POINTS, 2, 0.5), holed), rho, atol=1e-12)


@QUICK
@given(
    arrays(np.float64, (2, 3, 6, 2), elements=st.integers(-16, 16).map(lambda n: n / 4)), st.integers(1, 5)
)
def test_selectivity_is_a_share_that_knows_no_unit(measured, unit):
    data = np.stack([np.linspace(0, 3, 41), np.linspace(-9, 1, 41)], axis=1)

    def told(measured, data, names=("a", "b")):
        moved = control.Traversals(names, (0, 1), np.stack([POINTS] * 2), np.zeros((2, 3, 6)), measured)
        return control.summarise(moved, data)["per_attribute"]

    here = told(measured, data)
    scaled = told(measured * [unit, 1.0] + [0, unit], data * [unit, 1.0])
    turned = told(measured[::-1, ..., ::-1], data[:, ::-1], ("b", "a"))
    for name, one in here.items():
        assert 0 <= one["selectivity"] <= 1 and one["range_covered"] >= 0
        for other in (scaled, turned):
            for key in ("selectivity", "range_covered", "monotonicity"):
                assert other[name][key] == pytest.approx(one[key], abs=1e-9)
    alone = measured.copy()
    alone[0, ..., 1] = 7.0  # nothing else moves
    expected = 1.0 if np.ptp(alone[0, ..., 0], axis=1).any() else 0.0
    assert told(alone, data)["a"]["selectivity"] == pytest.approx(expected)


# ------------------------------------------------------------------ files

TYPES = st.sampled_from([torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.uint8, torch.bool])
SHAPES = st.lists(st.integers(0, 3), max_size=3).map(tuple)
NAMES = st.text(st.characters(categories=("L", "N"), include_characters="._ "), min_size=1, max_size=8)
RECORDS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False)
    | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@QUICK
@given(
    st.dictionaries(NAMES, st.tuples(SHAPES, TYPES), max_size=3),
    st.dictionaries(st.text(max_size=6), RECORDS, max_size=3),
    st.integers(0, 10**9),
)
def test_tensors_come_back_as_they_were_and_never_otherwise(shapes, record, place):
    draw = torch.Generator().manual_seed(place)
    tensors = {
        name: torch.randint(0, 100, shape, generator=draw).to(dtype)
        for name, (shape, dtype) in shapes.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.safetensors"
        checkpoints.write_tensors(path, tensors, record)
        content = path.read_bytes()
        back, told = checkpoints.read_tensors(path)
        assert told == record and back.keys() == tensors.keys()
        for name, tensor in tensors.items():
            assert back[name].dtype == tensor.dtype and torch.equal(back[name], tensor)
        checkpoints.write_tensors(path, dict(reversed(tensors.items())), record)
        assert checkpoints.read_tensors(path)[1] == record
        damaged = bytearray(content)
        damaged[place % len(content)] ^= 1 + place % 255
        path.write_bytes(damaged)
        try:  # refused, or nothing that counts was hit (a space in the header)
            back, told = checkpoints.read_tensors(path)
        except checkpoints.DamagedError:
            back, told = tensors, record
        assert told == record and back.keys() == tensors.keys()
        assert all(torch.equal(back[name], tensor) for name, tensor in tensors.items())
