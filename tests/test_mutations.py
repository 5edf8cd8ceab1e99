"""Would the tests notice? Each fault below is put into a copy of a module, and a test must fail.

The copy's functions take the place of the original's wherever they are used; then the tests of the module
are called, the quick ones first, until one fails.
"""

import dataclasses
import sys
import types

import numpy as np
import pytest
import torch

from tests import test_controllability, test_evaluation, test_losses, test_metrics, test_objectives


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Small matrices: a second thread costs more than it brings, most of all on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


LOSSES = {
    "the attributes' order turned round": (
        ".sub_((left > right).to(u)).add_((left < right).to(u))",
        ".add_((left > right).to(u)).sub_((left < right).to(u))",
    ),
    "ties counted as ordered": ("(left > right)", "(left >= right)"),
    "the codes' order turned round": ("torch.copysign(1.0 - u, d)", "torch.copysign(1.0 - u, -d)"),
    "pairs of the wrong axis": (
        "d = columns[:, block, None] - columns[:, None, :]",
        "d = columns[:, None, :] - columns[:, block, None]",
    ),
    "the diagonal dropped": ("return total / (m * m)", "return total / (m * (m - 1))"),
    "mean over attributes": ("return total / (m * m)", "return total / (m * m * k)"),
    "squared residuals": ("residual.abs().sum()", "residual.square().sum()"),
    "half of delta": ("mul_(-2.0 * delta)", "mul_(-delta)"),
    "delta left out": ("mul_(-2.0 * delta)", "mul_(-2.0)"),
    "gradient of one of two pairs": (".mul(2.0 * delta / (m * m))", ".mul(delta / (m * m))"),
    "gradient uphill": (".mul(2.0 * delta / (m * m))", ".mul(-2.0 * delta / (m * m))"),
    "gradient without tanh's slope": (".mul_(u).mul_(2.0 - u)", ".mul_(u)"),
    "gradient over the wrong axis": ("dim=2, out=gradient[:, block]", "dim=1, out=gradient[:, block]"),
    "gradient deaf to what follows": ("(gradient * upstream).to", "gradient.to"),
    "attributes rounded": ("values = attributes.detach()", "values = attributes.detach().to(z.dtype)"),
    "KL: sign of the entropy": ("- 2.0 * log_std", "+ 2.0 * log_std"),
    "KL: a half lost": ("return 0.5 * terms", "return terms"),
    "KL: summed over the wrong axis": ("terms.sum(dim=1).mean()", "terms.sum(dim=0).mean()"),
    "KL: mean over dimensions": ("terms.sum(dim=1).mean()", "terms.mean(dim=1).mean()"),
    "KL: mean not squared": ("mean.square()", "mean.abs()"),
    "KL: deviation for variance": ("torch.expm1(2.0 * log_std)", "torch.expm1(log_std)"),
    "capacity with the wrong sign": ("(kl - capacity)", "(kl + capacity)"),
    "capacity without the absolute": ("(kl - capacity).abs()", "(kl - capacity)"),
    "beta left out": ("beta * (kl - capacity)", "(kl - capacity)"),
    "images: mean over pixels": ('reduction="sum") / len(x)', 'reduction="sum") / x.numel()'),
    "images: sum over the batch": ('reduction="sum") / len(x)', 'reduction="sum")'),
    "music: sum over ticks": ("tokens.flatten())", 'tokens.flatten(), reduction="sum")'),
    "low precision kept": (
        "return x if x.dtype in (torch.float32, torch.float64) else x.float()",
        "return x",
    ),
}

METRICS = {
    ("interpretability", "R2 not squared"): ("covariance**2", "covariance"),
    ("interpretability", "no centring"): ("latents - latents.mean(axis=0)", "latents"),
    ("interpretability", "centred over the wrong axis"): (
        "attributes - attributes.mean(axis=0)",
        "attributes - attributes.mean(axis=1, keepdims=True)",
    ),
    ("interpretability", "the worst dimension"): ("argmax(axis=0)", "argmin(axis=0)"),
    ("interpretability", "another attribute's value"): (
        "r2[dimensions, np.arange(r2.shape[1])]",
        "r2[dimensions, np.arange(r2.shape[1])[::-1]]",
    ),
    ("mig", "sum for gap"): (
        "matrix[first, columns] - matrix[second, columns]",
        "matrix[first, columns] + matrix[second, columns]",
    ),
    ("mig", "the gap turned round"): (
        "matrix[first, columns] - matrix[second, columns]",
        "matrix[second, columns] - matrix[first, columns]",
    ),
    ("mig", "the best is its own rival"): ("others[first, columns] = -np.inf", "pass"),
    ("mig", "not divided by the entropy"): ("gap / np.where(entropy > 0, entropy, 1)", "gap"),
    ("mig", "the given dimension ignored"): ("if dimensions is None else", "if True else"),
    ("mig", "the wrong axis"): ("first = matrix.argmax(axis=0)", "first = matrix.argmax(axis=1)[:k]"),
    ("modularity", "one minus lost"): ("1 - rest, 0.0", "rest, 0.0"),
    ("modularity", "the wrong axis"): ("squared.max(axis=1)", "squared.max(axis=0)[:1].repeat(len(squared))"),
    ("modularity", "not squared"): ("information**2", "information"),
    ("modularity", "divided by k"): ("(information.shape[1] - 1)", "information.shape[1]"),
    ("modularity", "silent dimensions count as modular"): ("1 - rest, 0.0)", "1 - rest, 1.0)"),
    ("sap", "the gap turned round"): ("return gaps(r2, dimensions)[0]", "return -gaps(r2, dimensions)[0]"),
    ("sap", "the given dimension ignored"): ("gaps(r2, dimensions)", "gaps(r2)"),
    ("scc", "the sign kept"): ("magnitude = np.abs(rho)", "magnitude = rho"),
    ("scc", "only the insignificant"): ("p > SIGNIFICANCE", "p <= SIGNIFICANCE"),
    ("scc", "significance not asked"): ("np.where(p > SIGNIFICANCE, 0.0, rho)", "rho"),
    ("scc", "one-sided"): ("p = 2 * stats", "p = stats"),
    ("scc", "ranks along the wrong axis"): ("rankdata(columns, axis=0)", "rankdata(columns, axis=1)"),
    ("scc", "values for ranks"): ("stats.rankdata(columns, axis=0)", "columns.astype(float)"),
    ("dmig", "information added"): ("entropy[i] - between(i, other)", "entropy[i] + between(i, other)"),
    ("dmig", "the attributes in the wrong order"): ("between(i, other)", "between(other, other)"),
    ("dmig", "dependence ignored"): ("if other is None or other == i", "if True"),
    ("dmig", "nothing is determined"): ("if left > DETERMINED * entropy[i]", "if left > -1e9"),
    ("dmig", "the given dimension ignored"): ("gaps(information, dimensions)", "gaps(information)"),
    ("information", "a digamma subtracted"): ("+ psi[neighbours - 1]", "- psi[neighbours - 1]"),
    ("information", "one neighbour less"): ("k=[neighbours + 1]", "k=[neighbours]"),
    ("information", "another norm"): ("p=np.inf", "p=2"),
    ("information", "neighbours on the rim counted"): ("np.nextafter(distances[:, 0], 0)", "distances[:, 0]"),
    ("information", "not scaled"): ("scaled = values / deviation", "scaled = values * deviation"),
    ("information", "axes of the matrix swapped"): (
        "np.array(values).reshape(len(y), len(x)).T",
        "np.array(values).reshape(len(x), len(y))",
    ),
    ("density", "the range turned round"): ("low - half, high + half", "low + half, high - half"),
    ("density", "occupied by chance"): ("max(1.0, least * len(latents))", "0.0"),
    ("density", "the wrong quantile"): ("[TAIL, 1 - TAIL]", "[TAIL, 1 - 9 * TAIL]"),
    ("__init__", "constant attributes have entropy"): ("entropy[still_attributes] = 0.0", "pass"),
    ("__init__", "the tied dimensions shifted"): (
        "along = np.array([tied[i] for i in columns])",
        "along = np.array([tied[i] for i in columns[::-1]])",
    ),
    ("__init__", "interpretability of other dimensions"): (
        "used = choose_dimensions(info) if chosen is None else chosen",
        "used = choose_dimensions(info)",
    ),
}  # fmt: skip


OBJECTIVES = {
    ("objectives.vae", "against the order"): ("loss = loss + knobs.gamma", "loss = loss - knobs.gamma"),
    ("objectives.vae", "gamma for beta"): ("kl_penalty(kl, knobs.beta,", "kl_penalty(kl, knobs.gamma,"),
    ("objectives.vae", "beta for gamma"): ("loss + knobs.gamma *", "loss + knobs.beta *"),
    ("objectives.vae", "no capacity"): ("knobs.beta, knobs.capacity)", "knobs.beta)"),
    ("objectives.vae", "the divergence left out"): (
        "loss = reconstruction + losses.kl_penalty",
        "loss = reconstruction + 0 * losses.kl_penalty",
    ),
    ("objectives.vae", "the first dimensions"): (", cell.dimensions)", ", range(len(cell.dimensions)))"),
    ("objectives.vae", "dimensions sorted"): (", cell.dimensions)", ", sorted(cell.dimensions))"),
    ("objectives.vae", "always the mean"): ('z if knobs.regularize == "sample" else mean', "mean"),
    ("objectives.vae", "always the sample"): ('z if knobs.regularize == "sample" else mean', "z"),
    ("objectives.vae", "delta left out"): (", attributes, knobs.delta)", ", attributes)"),
    ("objectives.vae", "never regularized"): ("if knobs.gamma > 0", "if knobs.gamma > 1e9"),
    ("objectives", "log of the deviation"): ("log_std.exp() * noise", "log_std * noise"),
    ("objectives", "half the deviation"): ("log_std.exp() * noise", "(log_std / 2).exp() * noise"),
    ("objectives", "one noise for the batch"): ("torch.randn(mean.shape,", "torch.randn(mean.shape[1:],"),
    ("objectives", "music untaught"): ("model.decode(z, x), x)", "model.decode(z, 0 * x), x)"),
    ("objectives.fader", "an adversary that helps"): (
        "reconstruction + adversary",
        "reconstruction - adversary",
    ),
    ("objectives.fader", "an adversary of another weight"): (
        "attributes, cell.knobs.gamma)",
        "attributes, cell.knobs.beta)",
    ),
    ("objectives.fader", "other images' attributes"): (
        "complete(z, attributes)",
        "complete(z, attributes.flip(0))",
    ),
    ("models.fader", "not reversed"): ("gradient * -ctx.strength", "gradient * ctx.strength"),
    ("models.fader", "strength left out"): ("gradient * -ctx.strength", "-gradient"),
    ("models.fader", "nothing reversed"): ("_Reverse.apply(z, strength)", "z"),
    ("models.fader", "the code kept from it"): ("_Reverse.apply(z, strength)", "z.detach()"),
    ("models.fader", "not relative to the variance"): (" / self.variance).mean()", ").mean()"),
    ("models.fader", "attributes in their own units"): ("read - self.scale(attributes)", "read - attributes"),
    ("models.fader", "unsquashed"): (".sigmoid()  # (m, k)", ""),
    ("models.fader", "spread not taken out"): (
        "(attributes - self.lowest) / self.span",
        "attributes - self.lowest",
    ),
    ("objectives.glsr", "downhill"): ("slope - SLOPE", "slope + SLOPE"),
    ("objectives.glsr", "the slope turned round"): (
        "after[:, k] - before[:, k]",
        "before[:, k] - after[:, k]",
    ),
    ("objectives.glsr", "against the likelihood"): ("+ knobs.gamma", "- knobs.gamma"),
    ("objectives.glsr", "a wider likelihood"): ("/ SPREAD)", "* SPREAD)"),
    ("objectives.glsr", "a half lost"): ("0.5 * ((slope", "((slope"),
    ("objectives.glsr", "not a rate"): ("(STEP * units[k])", "units[k]"),
    ("objectives.glsr", "in other units"): ("(STEP * units[k])", "STEP"),
    ("objectives.glsr", "other attributes' units"): (
        "losses.columns(attributes, places)",
        "losses.columns(attributes, range(len(places)))",
    ),
    ("objectives.glsr", "mean over attributes"): (".mean(0).sum()", ".mean()"),
    ("objectives.glsr", "the first dimensions"): ("cell.dimensions[place]", "cell.dimensions[k]"),
    ("objectives.glsr", "another attribute's slope"): ("after[:, k]", "after[:, 0]"),
    ("objectives.glsr", "other symbols fed back"): ("fed = x if forced", "fed = x if not forced"),
    ("objectives.glsr", "no capacity"): ("knobs.beta, knobs.capacity)", "knobs.beta)"),
    ("objectives.glsr", "no deviation"): ("z = sample(mean, log_std, generator)", "z = mean"),
    ("objectives.glsr", "rests count as notes"): (
        "[..., : Vocabulary().pitches]",
        "[..., : Vocabulary().pitches + 1]",
    ),
    ("objectives.glsr", "weights not normed"): (
        "torch.tensor(WEIGHTS) / sum(WEIGHTS)",
        "torch.tensor(WEIGHTS)",
    ),
}

EVALUATION = {
    ("controllability", "selectivity over the wrong axis"): ("change.sum(axis=1)", "change.sum(axis=0)"),
    ("controllability", "selectivity of the largest"): (
        "np.diag(change) / np.where",
        "change.max(axis=1) / np.where",
    ),
    ("controllability", "the monotonicity matrix transposed"): (
        "traversals.values[i], measured[i, :, :, j]",
        "traversals.values[j], measured[j, :, :, i]",
    ),
    ("controllability", "other values"): (
        "monotonicity(traversals.values[i]",
        "monotonicity(traversals.values[0]",
    ),
    ("controllability", "the change matrix transposed"): (
        "change = span(np.moveaxis(measured, -1, 2)).mean(axis=1)",
        "change = span(np.moveaxis(measured, -1, 2)).mean(axis=1).T",
    ),
    ("controllability", "mean over attributes for items"): (
        "span(np.moveaxis(measured, -1, 2)).mean(axis=1)",
        "span(np.moveaxis(measured, -1, 2)).mean(axis=2)",
    ),
    ("controllability", "ranges of the moved attributes"): (
        "/ data_range(attributes)",
        "/ data_range(attributes)[:, None]",
    ),
    ("controllability", "own range for the data's"): ("/ data_range(attributes)", "/ np.nanmax(measured)"),
    ("controllability", "measurable only if always"): (
        "np.isfinite(measured).mean(axis=(1, 2))",
        "np.isfinite(measured).all(axis=(1, 2))",
    ),
    ("controllability", "sum for span"): ("axis=-1) - np.nanmin", "axis=-1) + np.nanmin"),
    ("controllability", "three points are too few for a span"): (
        "axis=-1) >= MIN_POINTS",
        "axis=-1) > MIN_POINTS",
    ),
    ("controllability", "three points are too few to rank"): (
        "seen.sum() >= MIN_POINTS",
        "seen.sum() > MIN_POINTS",
    ),
    ("controllability", "two points are enough"): ("MIN_POINTS = 3", "MIN_POINTS = 2"),
    ("controllability", "another share of the data"): ("[0.025, 0.975]", "[0.05, 0.95]"),
    ("controllability", "a rare attribute has no range"): (
        "high - low, np.ptp(attributes, axis=0)",
        "high - low, 0.0",
    ),
    ("controllability", "values for ranks"): (
        "(stats.rankdata(a, axis=1) for a in (x, y))",
        "(a for a in (x, y))",
    ),
    ("controllability", "falling is as good"): (
        "(x * y).sum(axis=1) / np.where",
        "np.abs((x * y).sum(axis=1)) / np.where",
    ),
    ("controllability", "every dimension by the first's values"): ("= values[i]", "= values[0]"),
    ("controllability", "the first dimensions moved"): ("codes[i, :, :, dimension]", "codes[i, :, :, i]"),
    ("controllability", "the dimension of another"): (
        "traversals.dimensions[i]",
        "traversals.dimensions[i - 1]",
    ),
    ("content", "onsets of the first only"): (
        "/ np.maximum(either, 1)",
        "/ np.maximum(first.sum(axis=-1), 1)",
    ),
    ("content", "two silent measures differ"): ("np.maximum(either, 1), 1.0)", "np.maximum(either, 1), 0.0)"),
    ("content", "a rest is an onset"): ("before >= 0, after >= 0", "before != -1, after != -1"),
    ("content", "a rest's number sounds"): ("(last >= 0) & (value >= 0)", "last >= 0"),
    ("content", "notes do not go on"): (
        "np.maximum.accumulate(np.where(starts, tick, -1), axis=-1)",
        "np.where(starts, tick, -1)",
    ),
    ("content", "symbols for what sounds"): ("(sounding(before) == sounding(after))", "(before == after)"),
    ("content", "compared with the original"): ("base = reconstructions[", "base = originals["),
    ("content", "one attribute for all"): (
        "pitches_kept(base, traversals.outputs[i])",
        "pitches_kept(base, traversals.outputs[0])",
    ),
    ("content", "onsets of one attribute for all"): (
        "onsets_kept(base, traversals.outputs[i])",
        "onsets_kept(base, traversals.outputs[0])",
    ),
    ("content", "onsets for pitches"): ("float(pitches_kept(originals", "float(onsets_kept(originals"),
    ("content", "labels of other items"): (
        "read == traversed_labels[None, :, None]",
        "read == labels[None, :n, None]",
    ),
    ("content", "classes of other items"): (
        "right[:, traversed_labels == digit]",
        "right[:, labels[:n] == digit]",
    ),
    ("content", "all attributes at once"): ("float(right[i].mean())", "float(right.mean())"),
    ("content", "reconstructions for originals"): (
        "accuracy(judge, originals, labels)",
        "accuracy(judge, reconstructions, labels)",
    ),
    ("content", "originals for reconstructions"): (
        "predict(judge, reconstructions) == labels",
        "predict(judge, originals) == labels",
    ),
    ("content", "shape is to keep its shape"): ('if name != "shape"', "if True"),
    ("content", "shape's traversal counts in the classes"): (
        'np.delete(kept, traversals.names.index("shape"), axis=0)',
        "kept",
    ),
    ("content", "the last items' shapes"): ("truth[None, :n, None]", "truth[None, -n:, None]"),
    ("content", "another attribute for shape"): ('sprites.NAMES.index("shape")', 'sprites.NAMES.index("x")'),
    ("__init__", "pixels equal to the bit"): (
        "(originals >= outputs.SEEN) == (reconstructions >= outputs.SEEN)",
        "originals == reconstructions",
    ),
    ("__init__", "share of what is wrong"): (
        "(originals == reconstructions).mean()",
        "(originals != reconstructions).mean()",
    ),
    ("__init__", "another threshold"): ("(reconstructions >= outputs.SEEN)", "(reconstructions > 0)"),
}


def mutate(name, old, new, monkeypatch):
    """Put functions of a module's text with `old` changed to `new` in the place of the module's own."""
    original = sys.modules[name]
    with open(original.__file__, encoding="utf-8") as file:
        text = file.read()
    assert text.count(old) >= 1, f"{name} has no {old!r} any more: write this mutation anew"
    changed = types.ModuleType(name)
    changed.__file__ = original.__file__
    exec(compile(text.replace(old, new), original.__file__, "exec"), changed.__dict__)
    kinds = (types.FunctionType, type)
    own = {
        key: value
        for key, value in vars(original).items()
        if isinstance(value, kinds) and value.__module__ == name and not dataclasses.is_dataclass(value)
    }
    users = [sys.modules[n] for n in list(sys.modules) if n.startswith(("arvae.", "tests."))]
    for user in {id(user): user for user in [original, *users]}.values():
        for key, value in list(vars(user).items()):
            if isinstance(value, kinds) and own.get(value.__name__) is value:
                monkeypatch.setattr(user, key, getattr(changed, value.__name__))


def survives(checks):
    """Whether every check passes, in spite of the mutation."""
    for check in checks:
        try:
            check()
        except (Exception, pytest.fail.Exception):
            return False
    return True


def loss_checks():
    yield test_losses.test_regularization_counts_the_diagonal
    yield test_losses.test_capacity_is_what_the_divergence_is_drawn_to_from_both_sides
    yield test_losses.test_regularization_sums_over_attributes_at_once
    yield test_losses.test_reconstruction_terms_have_the_papers_scale
    for case in test_losses.KL_CASES:
        yield lambda case=case: test_losses.test_kl_matches_golden_values_and_gradients(case)
    yield test_losses.test_regularization_gradient_scales_with_what_follows
    yield lambda: test_losses.test_low_precision_codes_keep_the_order_of_attributes(torch.bfloat16)
    for number in (2**53, 2**24):
        values = torch.tensor([number, number + 1, 0, 1], dtype=torch.int64)
        yield lambda values=values: test_losses.test_every_type_of_attribute_is_ordered_exactly(values)
    for case in test_losses.AR_CASES:
        yield lambda case=case: test_losses.test_regularization_matches_golden_values_and_gradients(
            case, torch.float32
        )


def metric_checks():
    with np.load(test_metrics.GOLDEN, allow_pickle=False) as archive:
        golden = {key: archive[key] for key in archive.files}
    yield test_metrics.test_dmig_by_hand
    yield test_metrics.test_dmig_along_given_dimensions_by_hand
    yield test_metrics.test_gaps_and_modularity_by_hand
    yield test_metrics.test_rank_correlations_and_their_significance_equal_scipy
    yield test_metrics.test_r2_equals_numpys_correlation_squared
    yield test_metrics.test_occupancy_and_range
    yield lambda: test_metrics.test_published_matrices("clean", golden)
    yield lambda: test_metrics.test_published_matrices("constdim", golden)
    yield lambda: test_metrics.test_mutual_information_equals_scikit_learn(0)
    yield test_metrics.test_identity_codes_are_perfect
    yield test_metrics.test_permuted_rows_and_a_wrong_dimension_show
    yield test_metrics.test_any_monotonic_map_keeps_ranks
    yield test_metrics.test_constant_codes_carry_nothing
    yield test_metrics.test_constant_and_discrete_attributes
    yield test_metrics.test_identical_attributes_have_no_dmig

    def published():
        z, a = golden["clean_latent"], golden["clean_attr"]
        result = {"clean": test_metrics.evaluate(z, a, test_metrics.NAMES)}
        test_metrics.test_published_values("clean", golden, result)

    yield published
    yield test_metrics.test_dmig_forgives_dependent_attributes


def objective_checks(*modules):
    if {"objectives", "objectives.vae"} & set(modules):
        for case in test_objectives.VAE_CASES:
            yield lambda case=case: test_objectives.test_vae_is_reconstruction_and_divergence_and_order(case)
        yield test_objectives.test_the_way_back_is_that_of_the_kind
    if {"objectives.fader", "models.fader"} & set(modules):
        yield test_objectives.test_fader_reads_better_and_hides_better
    if "objectives.glsr" in modules:
        yield test_objectives.test_expected_attributes_are_weighted_sums_of_onsets
        for forced, capacity in ((False, 0.0), (True, 0.0), (False, 40.0)):
            yield (
                lambda forced=forced, capacity=capacity: (
                    test_objectives.test_glsr_is_reconstruction_and_divergence_and_slope(forced, capacity)
                )
            )


def evaluation_checks():
    yield test_controllability.test_monotonicity_by_hand
    yield test_controllability.test_data_range_is_never_zero
    yield test_controllability.test_summarise_by_hand
    yield test_controllability.test_a_traversal_sets_one_dimension_and_keeps_the_others
    yield test_controllability.test_sounding_and_kept_by_hand
    yield test_controllability.test_melodies_kept_by_hand
    yield test_controllability.test_digits_kept_by_hand
    yield test_controllability.test_shapes_kept_by_hand
    yield test_evaluation.test_reconstruction_accuracy_by_hand


@pytest.mark.parametrize("name", LOSSES)
def test_a_fault_in_a_loss_fails_a_test(name, monkeypatch):
    mutate("arvae.losses", *LOSSES[name], monkeypatch)
    assert not survives(loss_checks()), f"no test notices: {name}"


@pytest.mark.parametrize("name", METRICS, ids=[": ".join(key) for key in METRICS])
def test_a_fault_in_a_metric_fails_a_test(name, monkeypatch):
    module = "arvae.metrics" if name[0] == "__init__" else f"arvae.metrics.{name[0]}"
    mutate(module, *METRICS[name], monkeypatch)
    assert not survives(metric_checks()), f"no test notices: {': '.join(name)}"


@pytest.mark.parametrize("name", OBJECTIVES, ids=[": ".join(key) for key in OBJECTIVES])
def test_a_fault_in_an_objective_fails_a_test(name, monkeypatch):
    mutate(f"arvae.{name[0]}", *OBJECTIVES[name], monkeypatch)
    assert not survives(objective_checks(name[0])), f"no test notices: {': '.join(name)}"


@pytest.mark.parametrize("name", EVALUATION, ids=[": ".join(key) for key in EVALUATION])
def test_a_fault_in_the_evaluation_fails_a_test(name, monkeypatch):
    module = "arvae.evaluation" if name[0] == "__init__" else f"arvae.evaluation.{name[0]}"
    mutate(module, *EVALUATION[name], monkeypatch)
    assert not survives(evaluation_checks()), f"no test notices: {': '.join(name)}"


def test_without_a_fault_all_these_tests_pass(monkeypatch):
    """Also where the copies, unchanged, stand for the originals: so it is the fault that fails."""
    mutate("arvae.losses", "m * m", "m * m", monkeypatch)
    for name in ("dmig", "information", "interpretability", "mig", "modularity", "sap", "scc", "density"):
        mutate(f"arvae.metrics.{name}", "return", "return", monkeypatch)
    objectives = ("objectives", "objectives.vae", "objectives.fader", "objectives.glsr", "models.fader")
    for name in (*objectives, "evaluation", "evaluation.controllability", "evaluation.content"):
        mutate(f"arvae.{name}", "return", "return", monkeypatch)
    for check in [*loss_checks(), *metric_checks(), *objective_checks(*objectives), *evaluation_checks()]:
        check()
