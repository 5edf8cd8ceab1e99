"""The image networks: parameter counts, golden outputs, dropout's statistics."""

from pathlib import Path

import numpy as np
import pytest
import torch

from arvae import fast, losses, models, params
from arvae.models.image import ImageVAE

# Values computed with the paper's released implementation (Pati & Lerch 2020).
GOLDEN = np.load(Path(__file__).parent / "golden" / "forward_dsprites.npz", allow_pickle=False)
COUNTS = {"dsprites": 502_005, "mnist": 1_644_145}
SHAPES = {"dsprites": (1, 64, 64), "mnist": (1, 28, 28)}


@pytest.mark.parametrize("dataset", ["dsprites", "mnist"])
def test_image_models_have_the_papers_size_and_shapes(dataset: str) -> None:
    setup = params.load().setup(dataset, "arvae")
    model = models.build(setup).eval()
    assert models.parameter_count(model) == COUNTS[dataset]
    x = torch.rand(3, *SHAPES[dataset], generator=torch.Generator().manual_seed(0))
    mean, log_std = model.encode(x)
    assert mean.shape == log_std.shape == (3, setup.latent_dim)
    assert model.decode(mean).shape == x.shape


def golden_model() -> ImageVAE:
    """dSprites VAE with the golden weights, setting B; its parameters are in the golden order."""
    model = models.build(params.load().setup("dsprites", "arvae"))
    with torch.no_grad():
        for k, (parameter, text) in enumerate(zip(model.parameters(), GOLDEN["param_shapes"], strict=True)):
            shape = tuple(int(size) for size in str(text).strip("[]").split(","))
            assert shape == tuple(parameter.shape)
            scale = 0.1 if len(shape) == 1 else 1.5 / np.sqrt(np.prod(shape[1:]))
            values = np.random.RandomState(1000 + k).uniform(-1, 1, shape)
            parameter.copy_(torch.from_numpy(np.float32(scale * values)))
    return model


def test_dsprites_outputs_and_losses_match_the_golden_values() -> None:
    model = golden_model()
    x = torch.from_numpy(GOLDEN["x"])
    mean, log_std = model.encode(x)
    np.testing.assert_allclose(mean.detach(), GOLDEN["B_z_mean"], atol=1e-5, rtol=0)
    np.testing.assert_allclose(log_std.detach(), GOLDEN["B_z_log_std"], atol=1e-5, rtol=0)
    for z, wanted in (
        (mean, "B_logits_at_z_mean"),
        (torch.from_numpy(GOLDEN["z_random"]), "B_logits_at_z_random"),
    ):
        np.testing.assert_allclose(model.decode(z).detach(), GOLDEN[wanted], atol=1e-5, rtol=0)
    z = mean + log_std.exp() * torch.from_numpy(GOLDEN["eps"])
    reconstruction = losses.reconstruction_images(model.decode(z), x)
    kl = losses.kl_penalty(losses.kl_divergence(mean, log_std), 1.0)
    # The released code numbers the attributes 0 (colour, constant) to 5; dimension r has attribute r.
    regularization = losses.attribute_regularization(
        z[:, 1:6], torch.from_numpy(GOLDEN["attributes"])[:, 1:6]
    )
    for value, name in (
        (reconstruction, "recon_bernoulli"),
        (kl, "kld_weighted"),
        (10 * regularization, "reg_weighted"),
        (reconstruction + kl + 10 * regularization, "total"),
    ):
        np.testing.assert_allclose(value.item(), GOLDEN[f"B_b1_c0_{name}"], rtol=1e-4)
    (reconstruction + kl + 10 * regularization).backward()
    norms = [parameter.grad.norm().item() for parameter in model.parameters()]
    np.testing.assert_allclose(norms, GOLDEN["B_b1_c0_grad_norm_per_param"], rtol=1e-3, atol=1e-6)


def test_building_is_decided_by_the_generator_alone() -> None:
    setup = params.load().setup("mnist", "arvae")
    before = torch.random.get_rng_state()
    one, same, other = (models.build(setup, generator=torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert not torch.equal(one.mean.weight, other.mean.weight)


def test_unknown_models_and_missing_vocabularies_are_named() -> None:
    setup = params.load().setup("bach", "arvae")
    with pytest.raises(ValueError, match="vocabulary_size"):
        models.build(setup)


def fader_setup(dataset: str) -> params.Setup:
    setup = params.load().setup(dataset, "arvae")
    return setup.model_copy(
        update={"hyperparameters": setup.hyperparameters.model_copy(update={"objective": "fader"})}
    )


@pytest.mark.parametrize(("dataset", "count"), [("mnist", 1_645_681), ("dsprites", 503_285)])
def test_fader_networks_have_the_papers_size(dataset: str, count: int) -> None:
    model = models.build(fader_setup(dataset))
    assert models.parameter_count(model.network) == count
    if dataset == "mnist":
        assert models.parameter_count(model.discriminator) == 3_366


def test_fader_scales_attributes_and_hides_them_against_the_discriminator() -> None:
    setup, random = fader_setup("mnist"), torch.Generator().manual_seed(0)
    model = models.build(setup, generator=random)
    models.set_generator(model, random)
    x = torch.rand(16, 1, 28, 28, generator=random)
    attributes = 5 + 3 * torch.rand(16, 6, generator=random)
    model.fit_attributes(attributes)
    scaled = model.scale(attributes)
    assert (scaled.min().item(), scaled.max().item()) == pytest.approx((0.0, 1.0))
    z, log_std = model.encode(x)
    assert log_std.exp().max() < 1e-8
    mean, variance = z.mean(1), z.var(1, correction=0)  # it cannot hide by growing
    torch.testing.assert_close(mean, torch.zeros(16), atol=1e-5, rtol=0)
    torch.testing.assert_close(variance, torch.ones(16), atol=1e-3, rtol=0)
    assert model.decode(model.complete(z, attributes)).shape == model.decode(z).shape == x.shape
    # The term moves the discriminator down the slope of its own error and the code, `strength` times, up it.
    model.discriminator.eval()  # no dropout: the passes see the same
    code, weight = z.detach().requires_grad_(), model.discriminator[0].weight
    error = (model.discriminator(code).sigmoid() - scaled).square().mean(0) / model.variance
    down_code, down_weight = torch.autograd.grad(error.mean(), (code, weight))
    assert down_code.abs().max() > 0
    for strength in (0.0, 1.0, 3.0):
        share = model.hidden_share(code, attributes, strength)
        torch.testing.assert_close(share, error.mean())
        by_code, by_weight = torch.autograd.grad(share, (code, weight))
        torch.testing.assert_close(by_code, -strength * down_code)
        torch.testing.assert_close(by_weight, down_weight)


@pytest.mark.parametrize("objective", ["vae", "fader"])
@pytest.mark.parametrize("dataset", ["mnist", "dsprites"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_every_model_learns_from_every_term(dataset: str, objective: str, precision: str) -> None:
    setup = fader_setup(dataset) if objective == "fader" else params.load().setup(dataset, "arvae")
    random = torch.Generator().manual_seed(0)
    model = models.build(setup, generator=random)
    flat = fast.FlatAdam(fast.use(model), 1e-3, dtype=getattr(torch, precision))
    models.set_generator(model, random)
    x = (torch.rand(8, *SHAPES[dataset], generator=random) > 0.7).float()
    attributes = torch.rand(8, len(setup.attributes), generator=random)
    history = []
    for _ in range(5):
        flat.zero_grad()
        terms = models.objective(objective).loss(model, x, attributes, setup, random)
        terms["loss"].backward()
        flat.step()
        history.append(terms["reconstruction"].item())
    assert history[-1] < history[0]
    assert all(np.isfinite(history))
    still = [name for name, p in model.named_parameters() if not p.grad.abs().sum() > 0]
    assert still == (["network.log_std.weight", "network.log_std.bias"] if objective == "fader" else [])
