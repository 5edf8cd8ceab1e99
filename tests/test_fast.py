"""Each twin of arvae.fast computes what its plain part does; whole networks have the same gradients."""

import pytest
import torch
from torch import nn

from arvae import fast, losses, models, params
from arvae.fast import layers, regularization
from arvae.music.coding import Vocabulary
from arvae.params import Setup
from arvae.training.optimizer import Adam

DOUBLE = {"dtype": torch.float64}


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def without_dropout(dataset: str, model: str) -> Setup:
    """Dropout's random numbers differ between the paths: the rest can be compared without it."""
    setup = params.load().setup(dataset, model)
    if "dropout" not in setup.architecture.model_fields_set:
        return setup
    architecture = setup.architecture.model_copy(update={"dropout": 0.0})
    return setup.model_copy(update={"architecture": architecture})


CASES = [(name, "arvae", None) for name in ("mnist", "dsprites")]
CASES += [("mnist", model, None) for model in ("fader", "value", "factorvae")]
CASES += [("bach", model, forced) for model in ("arvae", "glsr", "cvae") for forced in (True, False)]


@pytest.mark.parametrize(("dataset", "name", "forced"), CASES)
def test_both_paths_have_the_same_loss_and_gradients(dataset: str, name: str, forced: bool | None) -> None:
    """For the same weights, examples and noise, in float64."""
    setup, m = without_dropout(dataset, name), 16
    if dataset == "bach":
        x = torch.randint(Vocabulary().size, (m, 24), generator=seeded(1))
    else:
        side = 64 if dataset == "dsprites" else 28
        x = torch.rand(m, 1, side, side, generator=seeded(1), **DOUBLE)
    attributes = torch.rand(m, len(setup.attributes), generator=seeded(2), **DOUBLE)
    found = []
    for path in (lambda network: network, fast.use):
        network = path(models.build(setup, Vocabulary().size, seeded(3)).double())
        network.forced = forced
        if name == "fader":
            network.fit_attributes(attributes)
            network.discriminator.eval()
        names = [type(part).__module__ for part in network.modules()]
        assert any(part.startswith("arvae.fast") for part in names) == (path is fast.use)
        terms = models.objective(setup.hyperparameters.objective).loss(
            network, x, attributes, setup, seeded(4)
        )
        terms["loss"].backward()
        found.append((terms, {name: part.grad for name, part in network.named_parameters()}))
    (plain, slopes), (twin, others) = found
    assert plain.keys() == twin.keys() and slopes.keys() == others.keys()
    for term, value in plain.items():
        assert twin[term].item() == pytest.approx(value.item(), rel=1e-9, abs=1e-12)
    for part, slope in slopes.items():
        if slope is not None:  # the Fader network's head for the spread is not used
            assert (others[part] - slope).norm() <= 1e-9 * slope.norm(), part


def test_twins_are_swapped_in_by_one_call_and_take_the_same_weights() -> None:
    plain = models.build(params.load().setup("mnist", "fader"))
    before = {name: tensor.clone() for name, tensor in plain.state_dict().items()}
    twin = fast.use(plain)
    assert twin is plain and isinstance(twin.network.decoder_convs[1], fast.SeluDropout)
    assert isinstance(twin.network.decoder_convs[0], fast.ConvTranspose2d)
    assert isinstance(twin.discriminator[1][1], fast.Dropout)
    assert list(twin.state_dict()) == list(before)
    assert all(torch.equal(tensor, before[name]) for name, tensor in twin.state_dict().items())
    models.build(params.load().setup("mnist", "fader")).load_state_dict(twin.state_dict())


def test_what_something_else_may_use_is_not_overwritten() -> None:
    """The first of a sequence is given what stands outside of it; subclasses may compute something else."""

    class Own(nn.Dropout):
        pass

    pair = nn.Sequential(nn.SELU(), nn.Dropout())
    network = nn.Sequential(pair, nn.Linear(2, 2), nn.Sequential(nn.SELU(), Own()))
    network.kind = "images"
    fast.use(network)
    assert type(network[0]) is nn.Sequential and type(network[2]) is nn.Sequential
    assert type(network[0][1]) is fast.Dropout and type(network[2][1]) is Own


@pytest.mark.parametrize("blocks", [False, True])
@pytest.mark.parametrize("m", [2, 37])
def test_regularization_and_its_gradient_are_the_formulas(
    m: int, blocks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if blocks:
        monkeypatch.setattr(regularization, "_PAIRS_AT_ONCE", 7 * 5 * m)
    z = torch.randn(m, 5, generator=seeded(0), **DOUBLE, requires_grad=True)
    a = torch.randint(0, 4, (m, 5), generator=seeded(1))  # many ties
    plain, twin = losses.attribute_regularization(z, a, 2.5), fast.attribute_regularization(z, a, 2.5)
    torch.testing.assert_close(twin, plain, rtol=1e-12, atol=0)
    slopes = [torch.autograd.grad(value, z)[0] for value in (plain, twin)]
    torch.testing.assert_close(slopes[1], slopes[0], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("clip", [None, 0.1])
def test_one_adam_over_one_vector_steps_as_torchs_own(clip: float | None) -> None:
    found = []
    for path in (Adam, fast.FlatAdam):
        network = models.initialise(nn.Sequential(nn.Linear(3, 5), nn.SELU(), nn.Linear(5, 2)), seeded(0))
        optimizer = path(network, 1e-2)
        for step in range(20):
            optimizer.set_rate(1e-2 / (1 + step))
            optimizer.zero_grad()
            network(torch.rand(4, 3, generator=seeded(step))).square().mean().backward()
            optimizer.step(clip)
        found.append(optimizer.weights())
    assert found[0].keys() == found[1].keys()
    for name, weight in found[0].items():
        torch.testing.assert_close(found[1][name], weight, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("p", [0.5, 0.2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_dropout_drops_the_right_share_independently(p: float, dtype: torch.dtype) -> None:
    layer = fast.Dropout(p)
    layer.generator = torch.Generator().manual_seed(0)
    x = torch.ones(64, 8, 16, 16, dtype=dtype).contiguous(memory_format=torch.channels_last)
    y = layer(x)
    assert y.dtype == dtype
    assert y.stride() == x.stride()
    kept = (y != 0).float()
    torch.testing.assert_close(y[y != 0].float().unique(), torch.tensor([1 / (1 - p)]), rtol=4e-3, atol=0)
    sigma = (p * (1 - p) / kept.numel()) ** 0.5
    assert abs(kept.mean().item() - (1 - p)) < 5 * sigma
    flat = kept.permute(0, 2, 3, 1).flatten()  # the order in which the bits were dealt out
    for lag in (1, 8, 64, 512):  # neighbouring elements, bytes, words
        together = (flat[lag:] * flat[:-lag]).mean().item()
        assert abs(together - (1 - p) ** 2) < 5 * sigma
    assert torch.equal(layer.eval()(x), x)


def test_dropout_refuses_to_draw_from_nowhere() -> None:
    with pytest.raises(RuntimeError, match="set_generator"):
        fast.Dropout(0.5)(torch.ones(3))


@pytest.mark.parametrize(("channels", "stride", "padding"), [(3, 1, 0), (1, 1, 0), (3, 2, 1), (1, 2, 1)])
def test_transposed_convolutions_equal_torchs(channels: int, stride: int, padding: int) -> None:
    random = torch.Generator().manual_seed(0)
    ours = fast.ConvTranspose2d(5, channels, 4, stride, padding).double()
    reference = torch.nn.ConvTranspose2d(5, channels, 4, stride, padding).double()
    reference.load_state_dict(ours.state_dict())
    x = torch.randn(2, 5, 6, 6, generator=random, dtype=torch.float64)
    one, other = (layers.channels_last(x.clone()).requires_grad_(), x.clone().requires_grad_())
    y, wanted = ours(one), reference(other)
    torch.testing.assert_close(y, wanted)
    g = torch.randn(y.shape, generator=random, dtype=torch.float64)
    y.backward(g)
    wanted.backward(g)
    torch.testing.assert_close(one.grad, other.grad)
    for a, b in zip(ours.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_selu_dropout_equals_selu_then_dropout(dtype: torch.dtype, layout: torch.memory_format) -> None:
    x = (
        torch.randn(3, 5, 7, 7, generator=torch.Generator().manual_seed(1))
        .to(dtype)
        .contiguous(memory_format=layout)
    )
    g = torch.randn(3, 5, 7, 7, generator=torch.Generator().manual_seed(2)).to(dtype)  # in another layout
    results = []
    for fused in (True, False):
        layer = fast.SeluDropout(nn.SELU(), fast.Dropout()) if fused else fast.Dropout()
        models.set_generator(layer, torch.Generator().manual_seed(3))
        leaf = x.clone().requires_grad_()
        hidden = leaf * 1.0  # overwritten by the fused layer
        y = layer(hidden) if fused else layer(torch.nn.functional.selu(hidden))
        y.backward(g)
        results.append((y, leaf.grad))
    tolerance = {"rtol": 1e-5, "atol": 1e-5} if dtype == torch.float32 else {"rtol": 1e-2, "atol": 5e-2}
    assert torch.equal(results[0][0] == 0, results[1][0] == 0)
    for ours, plain in zip(*results, strict=True):
        torch.testing.assert_close(ours, plain, **tolerance)
