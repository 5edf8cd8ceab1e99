"""What the later baselines minimise: values and gradients equal the formula written out, in float64."""

import math

import pytest
import torch
from torch import Tensor, nn

from arvae import losses, models, params
from arvae.datasets.transform import apply
from arvae.models import betatcvae, cvae, factorvae, ivae, regression, s2vae, value
from arvae.music.coding import Vocabulary
from tests.test_model_losses import (
    D,
    Image,
    M,
    Measure,
    Plain,
    cross_entropy,
    gaussian,
    gradients,
    image_batch,
    same_gradients,
    same_with_gradients,
    seeded,
    setup_with,
)

SMALL = {
    "mnist": {"channels": (4, 4, 2), "hidden": 16, "dropout": 0.0},
    "bach": {"embedding": 4, "hidden": 8, "layers": 1, "dense": 8, "dropout": 0.0},
}
TIED = {"beta": 0.3, "gamma": 2.5, "capacity": 0.0, "regularize": "sample"}


def with_head(head: value.Head, attributes: Tensor) -> Image:
    model = Image()
    model.head = head.double()
    model.head.fit(attributes)
    return model


@pytest.mark.parametrize("regularize", ["sample", "mean"])
@pytest.mark.parametrize("objective", [value, regression])
def test_the_dimension_is_to_be_the_attribute_or_to_tell_it(objective, regularize: str) -> None:
    hyperparameters = TIED | {"regularize": regularize}
    setup = setup_with("mnist", **hyperparameters).model_copy(update={"dimensions": (3, 1)})
    x, attributes = image_batch()
    model = with_head(value.Head(2) if objective is value else regression.Line(2), 3 * attributes + 1)
    if objective is regression:
        with torch.no_grad():
            model.head.tilt.copy_(torch.tensor([0.5, -1.7]))
            model.head.intercept.copy_(torch.tensor([0.2, 0.4]))
    terms = objective.loss(model, x, attributes, setup, seeded(5))
    mean, z, kl = gaussian(model, x, 5)
    code, error = (mean if regularize == "mean" else z), 0.0
    for k, r in enumerate((3, 1)):
        known = 3 * attributes[:, k] + 1  # what it was fitted to
        wanted = (attributes[:, k] - known.mean()) / ((known - known.mean()) ** 2).mean().sqrt()
        told = code[:, r]
        if objective is regression:
            told = (1 + model.head.tilt[k]) * told + model.head.intercept[k]
        error = error + ((told - wanted) ** 2).sum() / M
    reconstruction = cross_entropy(model.decode(z), x)
    same_with_gradients(model, terms["loss"], reconstruction + 0.3 * kl + 2.5 * error)
    same_with_gradients(model, terms["regularization"], error)
    assert set(terms) == {"loss", "reconstruction", "kl", "regularization"}


def test_the_logistic_of_the_dimension_is_to_be_the_attribute() -> None:
    setup = setup_with("mnist", **TIED).model_copy(update={"dimensions": (3, 1)})
    x, attributes = image_batch()
    model = with_head(s2vae.Logistic(2), attributes)
    terms = s2vae.loss(model, x, attributes, setup, seeded(5))
    _, z, kl = gaussian(model, x, 5)
    low, high = attributes.min(dim=0).values, attributes.max(dim=0).values
    wanted, told = (attributes - low) / (high - low), torch.sigmoid(z[:, [3, 1]])
    error = -(wanted * told.log() + (1 - wanted) * (1 - told).log()).sum() / M
    same_with_gradients(model, terms["regularization"], error)
    reconstruction = cross_entropy(model.decode(z), x)
    same_with_gradients(model, terms["loss"], reconstruction + 0.3 * kl + 2.5 * error)
    head = s2vae.Logistic(1)
    head.fit(torch.full((4, 1), 2.0))  # a constant attribute is 0
    assert head(torch.zeros(4, 1), torch.full((4, 1), 2.0)).item() == pytest.approx(math.log(2))


def test_the_attributes_class_is_read_off_its_dimension() -> None:
    setup = setup_with("mnist", **TIED).model_copy(update={"dimensions": (3, 1)})
    x, _ = image_batch()
    attributes = torch.stack([torch.arange(M) % 3, 10 * (torch.arange(M) % 2)], dim=1).double()
    model = with_head(ivae.Classifier(2), attributes)
    with torch.no_grad():
        for part in (model.head.slope, model.head.intercept):
            part.copy_(torch.randn(part.shape, generator=seeded(7), dtype=part.dtype))
    terms = ivae.loss(model, x, attributes, setup, seeded(5))
    _, z, _ = gaussian(model, x, 5)
    error = 0.0
    for k, (r, classes) in enumerate(((3, 3), (1, 2))):
        logits = z[:, [r]] * model.head.slope[k, :classes] + model.head.intercept[k, :classes]
        truth = attributes[:, k].long() if k == 0 else (attributes[:, k] / 10).long()
        error = error - logits.log_softmax(dim=1)[torch.arange(M), truth].sum() / M
    same_with_gradients(model, terms["regularization"], error)


def test_many_values_are_cut_into_classes_of_equal_size() -> None:
    head, values = ivae.Classifier(1), torch.rand(3200, 1, generator=seeded(1)) ** 4
    head.fit(values)
    sizes = torch.bincount((values > head.edges).sum(dim=1), minlength=ivae.CLASSES)
    assert len(sizes) == ivae.CLASSES and sizes.min() >= 80 and sizes.max() <= 120
    assert head.edges.isfinite().all() and (head.edges.diff() > 0).all()


def test_all_that_a_classifier_keeps_is_finite() -> None:
    """The engine takes anything else for a run that diverged; three classes leave most of the ends unused."""
    head = ivae.Classifier(1)
    head.fit(torch.tensor([[0.0], [1.0], [2.0]]))
    assert all(kept.isfinite().all() for kept in head.state_dict().values())
    loss = head(torch.zeros(2, 1), torch.tensor([[0.0], [2.0]]))
    assert loss.item() == pytest.approx(math.log(3)), "of the classes that it does not have none is likely"


def test_a_constant_attribute_has_nothing_to_be_scaled_by() -> None:
    head = value.Head(2)
    head.fit(torch.tensor([[1.0, 5.0], [3.0, 5.0]]))
    assert head.mean.tolist() == [2, 5] and head.spread.tolist() == [1, 1]


def test_order_does_not_see_a_power_transform_and_values_do() -> None:
    attributes = torch.rand(40, 2, generator=seeded(1)) ** 3
    fit = {name: {"exponent": -2.0, "mean": 0.1, "spread": 0.2} for name in "ab"}
    turned = torch.from_numpy(apply(attributes.numpy(), fit))
    z = torch.randn(40, 2, generator=seeded(2), dtype=torch.float64, requires_grad=True)
    orders = [losses.attribute_regularization(z, a, 2.0) for a in (attributes, turned)]
    slopes = [torch.autograd.grad(order, z)[0] for order in orders]
    assert orders[0] == orders[1] and torch.equal(*slopes)
    heads = [value.Head(2).double() for _ in range(2)]
    errors = []
    for head, a in zip(heads, (attributes, turned), strict=True):
        head.fit(a.double())
        errors.append(head(z, a.double()).item())
    assert abs(errors[0] - errors[1]) > 1e-3


# ------------------------------------------------------------------ conditional VAE


class Given(Plain):
    """Its decoder takes three numbers more than a code has."""

    latent_dim = D

    def __init__(self, plain: Plain, kind: str):
        nn.Module.__init__(self)
        self.kind, self.mean, self.log_std = kind, plain.mean, plain.log_std
        outputs = plain.weight.shape[1]
        self.weight = nn.Parameter(torch.randn(D + 3, outputs, generator=seeded(9), dtype=torch.float64))
        self.teacher_forcing, self.forced = 0.5, None

    def decode(self, z: Tensor, tokens: Tensor | None = None) -> Tensor:
        shape = (-1, 1, 3, 3) if self.kind == "images" else (-1, 24, Vocabulary().size)
        return (z @ self.weight).view(shape) + (1.0 if self.forced else 0.0)


@pytest.mark.parametrize("kind", ["images", "music"])
def test_a_conditional_decoder_is_given_code_and_scaled_attributes(kind: str) -> None:
    setup = setup_with("mnist" if kind == "images" else "bach", beta=0.3, gamma=0.0)
    inner = Given(Image() if kind == "images" else Measure(True), kind)
    model = cvae.ConditionalVAE(inner, 3).double()
    known, attributes = (5 + 4 * torch.rand(n, 3, generator=seeded(n), dtype=torch.float64) for n in (50, M))
    model.fit_attributes(known)
    x, _ = image_batch()
    if kind == "music":
        x = torch.randint(Vocabulary().size, (M, 24), generator=seeded(2))
    terms = cvae.loss(model, x, attributes, setup, seeded(5))
    _, z, kl = gaussian(inner, x, 5)
    scaled = (attributes - known.min(0).values) / (known.max(0).values - known.min(0).values)
    logits = inner.decode(torch.cat([z, scaled], 1))
    if kind == "images":
        reconstruction = cross_entropy(logits, x)
    else:
        right = logits.log_softmax(-1).gather(2, x[..., None])
        reconstruction = -right.mean()
        model.forced = True  # as the training engine sets it
        assert torch.equal(model.decode(torch.cat([z, scaled], 1), x), logits + 1)
    same_with_gradients(model, terms["loss"], reconstruction + 0.3 * kl)
    assert terms["regularization"] == 0


# ------------------------------------------------------------------ total correlation


def chen(z: Tensor, mean: Tensor, log_std: Tensor, examples: int) -> Tensor:
    """Total correlation by minibatch-weighted sampling, one code and one posterior at a time."""
    total = 0.0
    for code in z:
        density = torch.stack(
            [
                torch.distributions.Normal(m, s.exp()).log_prob(code)
                for m, s in zip(mean, log_std, strict=True)
            ]
        )  # (m, d)
        weight = 1 / (examples * len(z))
        together = (density.sum(1).exp() * weight).sum().log()
        total = total + together - (density.exp() * weight).sum(0).log().sum()
    return total / len(z)


def test_beta_tcvae_weighs_total_correlation_alone() -> None:
    setup, n = setup_with("mnist", objective="betatcvae", beta=6.0, gamma=0.0), 500
    model, (x, attributes) = Image(), image_batch()
    terms = betatcvae.loss(model, x, attributes, setup, seeded(5))
    mean, z, kl = gaussian(model, x, 5)
    correlation = chen(z, mean, model.encode(x)[1], n)
    constant = (D - 1) * math.log(n)
    torch.testing.assert_close(terms["total_correlation"], correlation - constant)
    wanted = cross_entropy(model.decode(z), x) + kl + 5 * correlation
    same_with_gradients(model, terms["loss"], wanted - 5 * constant)


def test_total_correlation_is_found_and_is_none_without_it() -> None:
    """Of points on a diagonal and of points anywhere: a known value and about 0."""
    n, spread = 400, torch.full((400, 2), math.log(0.3))
    one, other = torch.randn(2, n, generator=seeded(1)).double()
    noise = 0.3 * torch.randn(n, 2, generator=seeded(2)).double()
    apart, along = torch.stack([one, other], 1), torch.stack([one, one], 1)
    variance = 1 + 0.3**2
    known = -0.5 * math.log(1 - (1 / variance) ** 2)  # of two Gaussians with that correlation
    found = [betatcvae.total_correlation(c + noise, c, spread.double()).item() for c in (apart, along)]
    assert found == pytest.approx([0, known], abs=0.15) and known > 0.8


def test_factorvae_lowers_what_its_discriminator_reads() -> None:
    """The network goes down the log-ratio with the discriminator fixed, that down its own cross-entropy."""
    setup = setup_with("mnist", objective="factorvae", beta=6.0, gamma=0.0)
    model, (x, attributes) = Image(), image_batch()
    model.discriminator = nn.Sequential(nn.Linear(D, 5), nn.LeakyReLU(0.2), nn.Linear(5, 2)).double()
    terms = factorvae.loss(model, x, attributes, setup, seeded(5))
    generator = seeded(5)
    mean, log_std = model.encode(x)
    z = mean + log_std.exp() * torch.randn(M, D, generator=generator, dtype=torch.float64)
    kl = gaussian(model, x, 5)[2]
    p = model.discriminator(z).softmax(1)
    ratio = (p[:, 0].log() - p[:, 1].log()).mean()
    half = (M + 1) // 2
    other = factorvae.permuted(z.detach()[half:], generator)
    read = model.discriminator(torch.cat([z.detach()[:half], other])).log_softmax(1)
    wrong = -(read[:half, 0].sum() + read[half:, 1].sum()) / M
    reconstruction = cross_entropy(model.decode(z), x)
    torch.testing.assert_close(terms["loss"], reconstruction + kl + 5 * ratio + wrong)
    torch.testing.assert_close(terms["total_correlation"], ratio)
    torch.testing.assert_close(terms["discriminator"], wrong)
    same_gradients(model.discriminator, terms["loss"], wrong)
    weights = [model.mean, model.log_std, model.weight]
    given, asked = (
        torch.autograd.grad(loss, weights, retain_graph=True)
        for loss in (terms["loss"], reconstruction + kl + 5 * ratio)
    )
    for ours, theirs in zip(given, asked, strict=True):
        torch.testing.assert_close(ours, theirs)
    assert gradients(model, ratio)[0].abs().max() > 1e-6


def test_permuted_codes_keep_every_dimension_and_no_pairs() -> None:
    z = torch.arange(60.0).view(20, 3)
    mixed = factorvae.permuted(z, seeded(1))
    assert torch.equal(mixed.sort(0).values, z) and not torch.equal(mixed, z)
    assert len({*(mixed[:, 0] - mixed[:, 1]).tolist()}) > 5


# ------------------------------------------------------------------ all of them, trained a little


@pytest.mark.parametrize(
    ("dataset", "name", "falls"),
    [("mnist", "value", "regularization"), ("mnist", "regression", "regularization"),
     ("mnist", "cvae", "reconstruction"), ("mnist", "betatcvae", "reconstruction"),
     ("mnist", "factorvae", "discriminator"), ("mnist", "arvae_mean", "regularization"),
     ("bach", "value", "regularization"), ("bach", "regression", "regularization"),
     ("bach", "s2vae", "regularization"), ("bach", "ivae", "regularization"),
     ("bach", "cvae", "reconstruction")],
)  # fmt: skip
def test_a_few_steps_lower_what_is_minimised(dataset: str, name: str, falls: str) -> None:
    setup = params.load().setup(dataset, name)
    setup = setup.model_copy(
        update={"architecture": setup.architecture.model_copy(update=SMALL[dataset]), "latent_dim": 8}
    )
    random = seeded(3)
    model = models.build(setup, Vocabulary().size, random)
    models.set_generator(model, random)
    m, k = 16, len(setup.attributes)
    if dataset == "mnist":
        x = torch.rand(m, 1, 28, 28, generator=random)
    else:
        x = torch.randint(Vocabulary().size, (m, 24), generator=random)
        model.forced = True
    attributes = torch.rand(m, k, generator=random)
    if hasattr(model, "fit_attributes"):
        model.fit_attributes(attributes)
    optimizer, history = torch.optim.Adam(model.parameters(), 3e-3), []
    for _ in range(25):
        optimizer.zero_grad()
        terms = models.objective(setup.hyperparameters.objective).loss(model, x, attributes, setup, random)
        terms["loss"].backward()
        optimizer.step()
        history.append(terms[falls].item())
    assert sum(history[-5:]) < sum(history[:5]) and all(map(math.isfinite, history))
    still = [part for part, p in model.named_parameters() if not p.grad.abs().sum() > 0]
    assert set(still) <= {"embed_out.weight", "network.embed_out.weight"}  # small: no symbol may be fed back


@pytest.mark.parametrize("name", ["betatcvae", "factorvae"])
def test_models_without_a_form_for_music_say_so(name: str) -> None:
    with pytest.raises(ValueError, match=f"objective '{name}' is for images, not for music"):
        models.build(setup_with("bach", objective=name), Vocabulary().size)
