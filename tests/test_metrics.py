"""Metrics: golden values of the published evaluation, oracle codes, rules for odd input."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from sklearn.feature_selection import mutual_info_regression

from arvae import metrics
from arvae.metrics import MetricError, betavae, dci, evaluate, factors, factorvae, grouped, outputs
from arvae.metrics.density import observed_range, occupancy
from arvae.metrics.dmig import carried_attributes, dmig
from arvae.metrics.information import mutual_information, self_information
from arvae.metrics.irs import irs_matrix

# Values computed with the paper's released implementation (Pati & Lerch 2020).
GOLDEN = Path(__file__).parent / "golden" / "metrics.npz"
# Values computed with disentanglement_lib 1.5 (DCI's scores, IRS; FactorVAE and BetaVAE, four seeds each) and
# with latte-metrics 0.0.1a6, which is by the author of XMIG and DLIG.
LIBRARIES = Path(__file__).parent / "golden" / "disentanglement.npz"
NAMES = list("abcde")


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN, allow_pickle=False) as archive:
        return {key: archive[key] for key in archive.files}


@pytest.fixture(scope="module")
def evaluated(golden):
    cases = ("clean", "discrete", "constdim")
    return {case: evaluate(golden[f"{case}_latent"], golden[f"{case}_attr"], NAMES) for case in cases}


@pytest.mark.parametrize("case", ["clean", "discrete", "constdim"])
def test_scores_are_those_of_the_published_implementation(case, golden, evaluated):
    result = evaluated[case]
    per_attribute = [result["per_attribute"][name] for name in NAMES]
    exact = {"rtol": 0, "atol": 1e-9}
    np.testing.assert_allclose(result["sap"], golden[f"{case}_sap"], **exact)
    np.testing.assert_allclose(result["scc"], golden[f"{case}_scc"], **exact)
    dimensions = [values["dimension"] for values in per_attribute]
    scores = [values["interpretability"] for values in per_attribute]
    if case != "constdim":  # there one attribute is carried by nothing: its choice of dimension is arbitrary
        np.testing.assert_array_equal(dimensions, golden[f"{case}_interp_dim"])
    np.testing.assert_allclose(scores, golden[f"{case}_interp_score"], **exact)
    np.testing.assert_allclose(result["interpretability"], golden[f"{case}_interp_mean_avg"], **exact)
    for metric in ("mig", "modularity"):
        tolerance = max(1e-9, 3 * float(golden[f"{case}_{metric}_std"]))
        assert abs(result[metric] - golden[f"{case}_{metric}_avg"]) <= tolerance
    if case != "discrete":
        information = np.array([result["mutual_information"][name] for name in NAMES]).T
        np.testing.assert_allclose(information, golden[f"{case}_mi_matrix_avg"], **exact)
        entropy = [values["entropy"] for values in per_attribute]
        np.testing.assert_allclose(entropy, golden[f"{case}_self_mi_avg"], **exact)


@pytest.mark.parametrize("case", ["clean", "discrete", "constdim"])
def test_matrices_are_those_of_the_published_implementation(case, golden):
    z, a = golden[f"{case}_latent"], golden[f"{case}_attr"]
    np.testing.assert_allclose(metrics.r2_matrix(z, a), golden[f"{case}_sap_matrix"], atol=1e-9, rtol=0)
    rho = np.abs(metrics.spearman_matrix(z, a))
    np.testing.assert_allclose(rho, golden[f"{case}_scc_matrix"], atol=1e-9, rtol=0)


def test_mutual_information_is_scikit_learns_and_0_for_constants():
    generator = np.random.default_rng(3)
    z = np.column_stack([generator.standard_normal((400, 2)), np.full(400, 5.0)])
    a = np.column_stack([z[:, 0] ** 3, np.full(400, 2.0), generator.integers(0, 3, 400)])
    expected = np.stack([mutual_info_regression(z, y, random_state=7) for y in a.T], axis=1)
    expected[2], expected[:, 1] = 0, 0
    np.testing.assert_array_equal(mutual_information(z, a, 7), expected)
    own = [mutual_info_regression(y[:, None], y, random_state=7)[0] for y in a.T]
    np.testing.assert_array_equal(self_information(a, 7), [own[0], 0, own[2]])


def oracle(n=1500, k=3, d=5, seed=0):
    generator = np.random.default_rng(seed)
    a = generator.standard_normal((n, k))
    z = generator.standard_normal((n, d))
    z[:, 1 : k + 1] = a
    return z, a, list("abc")[:k], list(range(1, k + 1))


def test_identity_codes_are_perfect():
    z, a, names, dimensions = oracle()
    result = evaluate(z, a, names, dimensions)
    for values in (result, result["regularized"]):
        assert values["interpretability"] == pytest.approx(1)
        assert values["scc"] == pytest.approx(1)
        assert values["sap"] > 0.99
        assert values["mig"] > 0.95 and values["dmig"] > 0.95
    carrying = [result["modularity_by_dimension"][dimension] for dimension in dimensions]
    assert min(carrying) > 0.99
    assert [result["per_attribute"][name]["dimension"] for name in names] == dimensions


def test_a_monotonic_map_keeps_the_rank_correlation_perfect():
    z, a, names, dimensions = oracle()
    z[:, 1:4] = np.stack([np.exp(a[:, 0]), -np.arctan(a[:, 1]), a[:, 2] ** 3], axis=1)
    result = evaluate(z, a, names, dimensions)
    assert result["scc"] == pytest.approx(1)
    assert result["per_attribute"]["b"]["spearman"] == pytest.approx(-1)
    assert result["interpretability"] < 0.97


def test_constant_codes_carry_nothing():
    _, a, names, dimensions = oracle()
    result = evaluate(np.full((len(a), 5), 3.0), a, names, dimensions)
    for metric in metrics.METRICS:
        assert result[metric] == 0
    assert result["constant_dimensions"] == [0, 1, 2, 3, 4]
    assert result["regularized"]["scc"] == 0


def test_noise_carries_next_to_nothing():
    generator = np.random.default_rng(5)
    result = evaluate(generator.standard_normal((3000, 5)), generator.standard_normal((3000, 3)), list("abc"))
    for metric in ("interpretability", "mig", "sap", "scc"):
        assert 0 <= result[metric] < 0.06


def test_duplicated_codes_have_no_gap():
    z, a, names, _ = oracle()
    result = evaluate(np.concatenate([z, z], axis=1), a, names)
    assert result["sap"] == pytest.approx(0, abs=1e-12)
    assert result["mig"] < 0.02 and result["dmig"] < 0.02
    assert result["interpretability"] == pytest.approx(1) and result["scc"] == pytest.approx(1)


def test_permuted_dimensions_change_nothing_but_their_names():
    z, a, names, _ = oracle()
    z += 0.3 * np.random.default_rng(1).standard_normal(z.shape)
    order = [4, 2, 0, 3, 1]
    before, after = evaluate(z, a, names), evaluate(z[:, order], a, names)
    for metric in ("interpretability", "sap", "scc"):
        assert after[metric] == pytest.approx(before[metric], abs=1e-12)
    for metric in ("mig", "modularity", "dmig"):  # the tie-breaking noise moves with the columns
        assert after[metric] == pytest.approx(before[metric], abs=0.01)
    for name in names:
        assert order[after["per_attribute"][name]["dimension"]] == before["per_attribute"][name]["dimension"]


def test_shuffled_rows_and_a_wrong_dimension_score_low():
    z, a, names, _ = oracle()
    result = evaluate(z, a, names, {"a": 2, "b": 1, "c": 3})["regularized"]["per_attribute"]
    assert result["a"]["interpretability"] < 0.02 and result["c"]["interpretability"] == pytest.approx(1)
    assert result["a"]["mig"] < -0.9 and result["a"]["sap"] < -0.9
    shuffled = evaluate(z[np.random.default_rng(0).permutation(len(z))], a, names)
    assert shuffled["scc"] < 0.1


def test_more_noise_is_never_better():
    z, a, names, _ = oracle()
    noise = np.random.default_rng(2).standard_normal(z.shape)
    results = [evaluate(z + level * noise, a, names) for level in (0, 0.2, 1.0)]
    for metric in ("interpretability", "mig", "sap", "scc"):
        values = [result[metric] for result in results]
        assert values == sorted(values, reverse=True)


def test_only_some_attributes_may_be_regularized():
    z, a, names, _ = oracle()
    result = evaluate(z, a, names, {"c": 3})
    assert list(result["regularized"]["per_attribute"]) == ["c"]
    assert result["regularized"]["interpretability"] == pytest.approx(1)
    assert evaluate(z, a, names, {})["regularized"] is None


def test_dmig_forgives_dependent_attributes():
    generator = np.random.default_rng(0)
    shared = generator.standard_normal(4000)
    a = np.stack([shared, shared + 0.2 * generator.standard_normal(4000)], axis=1)
    result = evaluate(a + 0.01 * generator.standard_normal(a.shape), a, ["a", "b"], [0, 1])
    assert result["dmig"] > result["mig"] + 0.1
    assert result["dmig"] == pytest.approx(result["regularized"]["dmig"])


def test_dmig_by_hand():
    information = np.array([[2.0, 1.0], [1.5, 3.0], [0.5, 0.2]])
    entropy = np.array([4.0, 5.0])
    values = dmig(information, entropy, lambda i, other: 2.0, carried=[0, 1, None])
    np.testing.assert_allclose(values, [0.5 / (4 - 2), 2.0 / (5 - 2)])
    values = dmig(information, entropy, lambda i, other: 2.0, carried=[None, None, None])
    np.testing.assert_allclose(values, [0.5 / 4, 2.0 / 5])
    determined = dmig(information, entropy, lambda i, other: 4.0, carried=[0, 1, None])
    assert np.isnan(determined[0]) and determined[1] == pytest.approx(2.0)
    assert carried_attributes(information) == [0, 1, None]
    assert carried_attributes(information, [2, None]) == [None, None, 0]
    assert carried_attributes(np.array([[0.5, 0.9, 0.7], [0.1, 0.2, 0.6]])) == [1, None]
    assert carried_attributes(np.zeros((2, 1))) == [None, None]
    assert carried_attributes(np.zeros((2, 1)), [1]) == [None, 0]


def test_dmig_along_given_dimensions_by_hand():
    information, entropy = np.array([[2.0, 1.0], [1.5, 3.0], [0.5, 0.2]]), np.array([4.0, 5.0])
    values = dmig(information, entropy, lambda i, other: 1.0, [1, 0, None], np.array([1, 0]))
    np.testing.assert_allclose(values, [-0.5 / (4 - 1), -2.0 / (5 - 1)])


def test_gaps_and_modularity_by_hand():
    information = np.array([[2.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(metrics.modularity(information), [1 - 1 / (4 * 2), 0, 0])
    np.testing.assert_allclose(metrics.mig(information, np.array([4.0, 0.0, 2.0])), [0.25, 0, 0.5])
    np.testing.assert_allclose(metrics.mig(information, np.array([0.0, 4.0, 0.5])), [0, 0, 2])
    along = np.array([1, 0, 0])
    np.testing.assert_allclose(metrics.mig(information, np.array([4.0, 1.0, 2.0]), along), [-0.25, 0, -0.5])
    np.testing.assert_allclose(metrics.sap(information, along), [-1, 0, -1])
    np.testing.assert_allclose(metrics.sap(information), [1, 0, 1])
    np.testing.assert_array_equal(metrics.choose_dimensions(information), [0, 0, 1])
    np.testing.assert_array_equal(metrics.interpretability(information, along), [1, 1, 0])
    rho = np.array([[-0.9, 0.1], [0.5, 0.3]])
    np.testing.assert_array_equal(metrics.scc(rho), [0.9, 0.3])
    np.testing.assert_array_equal(metrics.scc(rho, np.array([1, 0])), [0.5, 0.1])


def test_rank_correlations_and_their_significance_equal_scipy():
    generator = np.random.default_rng(1)
    z, a = generator.standard_normal((20, 4)), generator.standard_normal((20, 40))
    a[:, :20] += z[:, [0]] * np.linspace(0, 1, 20)  # some near the border of significance
    expected = np.array([[stats.spearmanr(column, y) for y in a.T] for column in z.T])
    rho = np.where(expected[..., 1] > 0.05, 0.0, expected[..., 0])
    assert ((expected[..., 1] > 0.05) & (expected[..., 1] < 0.1)).any()
    np.testing.assert_allclose(metrics.spearman_matrix(z, a), rho, atol=1e-12, rtol=0)
    every = metrics.spearman_matrix(z, a, significance=1)
    np.testing.assert_allclose(every, expected[..., 0], atol=1e-12, rtol=0)


def test_r2_equals_numpys_correlation_squared():
    generator = np.random.default_rng(2)
    z, a = 3 + generator.standard_normal((30, 4)), 5 + generator.standard_normal((30, 3))
    z[:, 1] = 3.0
    expected = np.corrcoef(z[:, [0, 2, 3]].T, a.T)[:3, 3:] ** 2
    np.testing.assert_allclose(metrics.r2_matrix(z, a)[[0, 2, 3]], expected, atol=1e-12, rtol=0)
    assert (metrics.r2_matrix(z, a)[1] == 0).all()


def test_identical_attributes_have_no_dmig():
    z, a, _, _ = oracle(k=1)
    result = evaluate(np.hstack([a, a + 0.1 * z[:, :1]]), np.hstack([a, a]), ["a", "b"], [0, 1])
    assert result["per_attribute"]["a"]["dmig"] is None
    assert math.isfinite(result["mig"])


def test_a_constant_attribute_scores_0_and_a_discrete_one_has_its_entropy():
    z, a, names, _ = oracle()
    a[:, 1] = 7.0
    a[:, 2] = np.digitize(a[:, 2], [-0.4307, 0.4307])  # three equally frequent values
    result = evaluate(z, a, names)
    b, c = result["per_attribute"]["b"], result["per_attribute"]["c"]
    assert all(b[metric] == 0 for metric in ("interpretability", "mig", "sap", "scc", "dmig", "entropy"))
    assert result["constant_attributes"] == ["b"]
    assert c["entropy"] == pytest.approx(math.log(3), abs=0.02)
    assert c["mig"] == pytest.approx(1, abs=0.05)


def test_one_attribute_in_one_dimension_is_perfect():
    z, a, _, _ = oracle(k=1)
    result = evaluate(z[:, 1:2], a, ["a"], [0])
    assert result["modularity"] == 1 and result["scc"] == pytest.approx(1)
    assert result["sap"] == pytest.approx(1) and result["mig"] == pytest.approx(1, abs=0.05)


def test_results_are_json_and_do_not_depend_on_the_number_of_threads():
    z, a, names, dimensions = oracle(n=300)
    first = json.dumps(evaluate(z, a, names, dimensions, workers=1), allow_nan=False)
    assert json.dumps(evaluate(z, a, names, dict(zip(names, dimensions, strict=True)), workers=3)) == first


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda z, a, n: (np.where(np.arange(5) == 2, np.nan, z), a, n), r"row 0, column 2"),
        (lambda z, a, n: (z, np.where(np.arange(3) == 1, np.inf, a), n), r"column 1 \(b\)"),
        (lambda z, a, n: (z[:-1], a, n), "29 rows of latents but 30"),
        (lambda z, a, n: (z[:5], a[:5], n), "5 rows are too few"),
        (lambda z, a, n: (z[:, 0], a, n), "give two axes"),
        (lambda z, a, n: (z, a, n[:2]), "do not fit 3 columns"),
        (lambda z, a, n: (z, a, ["a", "a", "b"]), "distinct"),
    ],
)
def test_bad_input_is_named(change, message):
    z, a, names, _ = oracle(n=30)
    with pytest.raises(MetricError, match=message):
        evaluate(*change(z, a, names))


@pytest.mark.parametrize(
    ("dimensions", "message"),
    [([0, 1], "2 dimensions for 3"), ([0, 0, 1], "distinct"), ([0, 1, 5], "0 to 4"), ({"x": 1}, "name")],
)
def test_bad_dimensions_are_named(dimensions, message):
    z, a, names, _ = oracle(n=30)
    with pytest.raises(MetricError, match=message):
        evaluate(z, a, names, dimensions)


def test_occupancy_is_the_share_of_a_traversals_points_where_codes_lie():
    generator = np.random.default_rng(0)
    z = np.stack(
        [generator.uniform(-4.4, 4.4, 9000), generator.uniform(-0.4, 0.4, 9000), np.zeros(9000)], axis=1
    )
    np.testing.assert_allclose(occupancy(z), [1.0, 0.2, 0.1])
    np.testing.assert_allclose(occupancy(np.array([[-4.4], [4.4]])), [0.2])  # in the bins around -4 and 4
    low, high = observed_range(z)
    assert low[0] == pytest.approx(-4.36, abs=0.05) and high[1] == pytest.approx(0.396, abs=0.01)
    with pytest.raises(ValueError, match="empty"):
        occupancy(z, 1, 1)


# ------------------------------------------------------------------ beyond the paper: other libraries' values


@pytest.fixture(scope="module")
def known():
    with np.load(LIBRARIES, allow_pickle=False) as archive:
        return {key: archive[key] for key in archive.files}


def test_dependency_aware_gaps_are_those_of_their_author(known):
    result = evaluate(known["latents"], known["attributes"], list("abc"), [1, 2, 3])["regularized"]
    for metric in ("mig", "dmig", "xmig", "dlig"):
        values = [result["per_attribute"][name][metric] for name in "abc"]
        np.testing.assert_allclose(values, known[metric], atol=1e-9, rtol=0)


def test_dci_and_irs_are_those_of_disentanglement_lib(known):
    assert dci.disentanglement(known["importance"]) == pytest.approx(known["disentanglement"], abs=1e-9)
    assert dci.completeness(known["importance"]) == pytest.approx(known["completeness"], abs=1e-9)
    matrix, _ = irs_matrix(known["codes"], known["factors"])
    np.testing.assert_allclose(matrix, known["irs_matrix"], atol=1e-9, rtol=0)
    assert metrics.irs(known["codes"], known["factors"]) == pytest.approx(float(known["irs"]), abs=1e-9)


@pytest.mark.parametrize("name", ["factorvae", "betavae"])
def test_votes_agree_with_disentanglement_lib_within_three_standard_errors(name, known):
    module = {"factorvae": factorvae, "betavae": betavae}[name]
    score = getattr(module, f"{name}_score")(known["rotated"], known["grid"], np.random.default_rng(0))
    p = known[name].mean()
    assert abs(score - p) < 3 * np.sqrt(p * (1 - p) * (1 / factors.TEST + 1 / 3000))


def test_smoothness_is_that_of_its_author(known):
    smooth = outputs.smoothness(known["values"], known["measured"])
    np.testing.assert_allclose(smooth, known["smoothness"], atol=1e-9, rtol=0)


def test_gamma_does_not_punish_a_step_that_is_never_undone():
    step = np.repeat([0.0, 1.0], 5)
    rows = np.stack(
        [step, -step, np.zeros(10), np.arange(10) % 2, np.where(np.arange(10) == 3, np.nan, step)]
    )
    expected = [1, -1, 0, 5 / 25, 1]
    along = np.arange(10.0)
    np.testing.assert_allclose(outputs.gamma(along, rows), expected)
    np.testing.assert_allclose(outputs.gamma(-along, rows), -np.array(expected))
    measured = np.random.default_rng(0).integers(0, 4, (20, 10)).astype(float)
    for row, found in zip(measured, outputs.gamma(along, measured), strict=True):
        first, second = np.triu_indices(10, 1)
        untied = (row[first] != row[second]).sum()  # Somers' D divides by all 45 pairs, gamma by these
        assert found == pytest.approx(stats.somersd(along, row).statistic * 45 / untied)
    straight = np.arange(10.0)[None]
    assert outputs.smoothness(np.arange(10.0), straight) == 1


def test_grouped_scores_know_perfect_codes_from_noise():
    generator = np.random.default_rng(0)
    a = np.column_stack([generator.integers(0, 3, 3000), generator.uniform(0, 1, (3000, 2)),
                         generator.uniform(0, 2 * np.pi, 3000)])  # fmt: skip
    kinds = ["discrete", "continuous", "continuous", "circular"]
    exact = np.column_stack([a[:, :3], np.cos(a[:, 3]), np.sin(a[:, 3]), generator.normal(size=3000)])
    perfect, noise = grouped(exact, a, kinds), grouped(generator.normal(size=(3000, 6)), a, kinds)
    assert min(perfect[name] for name in ("disentanglement", "informativeness", "factorvae_score")) > 0.9
    assert perfect["betavae_score"] > 0.9 and perfect["irs"] > noise["irs"] + 0.2
    assert noise["disentanglement"] < 0.1 and noise["factorvae_score"] < 0.5
    assert set(perfect) == set(metrics.GROUPED) and perfect == grouped(exact, a, kinds)
    assert grouped(exact, np.ones((3000, 1)))["factorvae_score"] == 0


def test_factors_are_grouped_by_what_they_are():
    angles = np.array([0, 2 * np.pi, np.pi, 0.05, 2 * np.pi - 0.05])
    assert len(set(factors.classes(angles, "circular")[[0, 1, 3, 4]])) == 1
    assert len(np.unique(factors.classes(np.random.default_rng(0).normal(size=500)))) == factors.BINS
    assert factors.classes(np.array([5.0, 1.0, 5.0]), "discrete").tolist() == [1, 0, 1]
    with pytest.raises(ValueError, match="'ordinal'.*continuous, discrete, circular"):
        factors.classes(angles, "ordinal")


def test_circular_correlation_sees_an_angle_that_a_line_does_not():
    angle = np.random.default_rng(0).uniform(0, 2 * np.pi, 4000)
    z = np.cos(4 * angle)  # a square's quarter turns
    assert abs(np.corrcoef(z, angle)[0, 1]) < 0.1
    assert factors.circular_correlation(z, angle, 4) == pytest.approx(1)
    assert factors.circular_correlation(z, angle) < 0.1 and factors.circular_correlation(z * 0, angle) == 0


def test_metrics_need_no_more_than_numpy_scipy_and_scikit_learn():
    code = """
import sys
class Other:
    def find_spec(self, name, *rest):
        if name.partition(".")[0] in ("torch", "pandas", "matplotlib", "pydantic", "numba", "IPython"):
            raise ImportError(name)
sys.meta_path.insert(0, Other())
import arvae.metrics
"""
    subprocess.run([sys.executable, "-c", code], check=True)
