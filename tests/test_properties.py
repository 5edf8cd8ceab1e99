"""What must hold for any input: losses and metrics under permutation, shift, scale and any monotonic map."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from arvae import losses, metrics

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
