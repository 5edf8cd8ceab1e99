"""MeasureVAE: size, golden outputs, gradients against an ordinary implementation, randomness, learning."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from arvae import fast, losses, models, params
from arvae.models import vae
from arvae.models.measure import MeasureVAE

# Values computed with the paper's released implementation (Pati & Lerch 2020).
GOLDEN = np.load(Path(__file__).parent / "golden" / "forward_measure.npz", allow_pickle=False)
# Our names of the golden parameters, in the golden order.
ORDER = [
    *(
        f"encoder.{name}_l{layer}{suffix}"
        for layer in (0, 1)
        for suffix in ("", "_reverse")
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    ),
    "embed_in.weight",
    *(f"{part}.{i}.{name}" for part in ("mean", "log_std") for i in (0, 2) for name in ("weight", "bias")),
    *("beat_input", "first_symbol", "embed_out.weight", "beat_start.weight", "beat_start.bias"),
    *(f"beat.{name}_l{i}" for i in (0, 1) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")),
    *("tick_start.weight", "tick_start.bias", "tick_input.weight", "tick_input.bias"),
    *(f"tick.{name}_l{i}" for i in (0, 1) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")),
    *("logits.weight", "logits.bias"),
]


@pytest.fixture(params=["plain", "fast"])
def golden(request: pytest.FixtureRequest) -> MeasureVAE:
    """The model with the golden weights, setting B, plain and with its twin."""
    model = MeasureVAE(60)
    parameters = dict(model.named_parameters())
    assert sorted(ORDER) == sorted(parameters)
    with torch.no_grad():
        for k, (name, shape) in enumerate(zip(ORDER, GOLDEN["param_shapes"], strict=True)):
            parameter = parameters[name]
            assert str(list(parameter.shape)) == str(shape), name
            scale = 0.1 if parameter.ndim == 1 else 1.5 / np.sqrt(np.prod(parameter.shape[1:]))
            values = np.random.RandomState(1000 + k).uniform(-1, 1, parameter.shape)
            parameter.copy_(torch.from_numpy(np.float32(scale * values)))
    return (fast.use(model) if request.param == "fast" else model).eval()


@pytest.fixture
def small() -> MeasureVAE:
    """The twin of a small model with random weights and a generator."""
    model = MeasureVAE(12, 8, embedding=5, hidden=16, dense=20, dropout=0.5, teacher_forcing=0.5)
    models.initialise(fast.use(model), torch.Generator().manual_seed(0))
    models.set_generator(model, torch.Generator().manual_seed(1))
    return model


def symbols(n: int, vocabulary: int = 12, seed: int = 0) -> Tensor:
    return torch.randint(vocabulary, (n, 24), generator=torch.Generator().manual_seed(seed))


def test_size_is_the_papers() -> None:
    assert models.parameter_count(MeasureVAE(60)) == 1_101_367
    model = models.build(params.load().setup("bach", "arvae"), vocabulary_size=34)
    assert isinstance(model, MeasureVAE) and model.latent_dim == 32


@pytest.mark.parametrize("grad", [True, False])
def test_outputs_match_the_golden_values(golden: MeasureVAE, grad: bool) -> None:
    close = {"atol": 1e-5, "rtol": 0}
    x = torch.from_numpy(GOLDEN["x_tokens"])
    with torch.set_grad_enabled(grad):
        mean, log_std = golden.encode(x)
        np.testing.assert_allclose(mean.detach(), GOLDEN["B_z_mean"], **close)
        np.testing.assert_allclose(log_std.detach(), GOLDEN["B_z_log_std"], **close)
        for which, z in (("mean", mean), ("random", torch.from_numpy(GOLDEN["z_random"]))):
            beats = golden.beats(z).transpose(0, 1)
            np.testing.assert_allclose(beats.detach(), GOLDEN[f"B_beat_states_at_z_{which}"], **close)
            logits = golden.eval().decode(z, x).detach()  # eval mode: the symbols are not used
            np.testing.assert_allclose(logits, GOLDEN[f"B_weights_at_z_{which}"], **close)
            np.testing.assert_array_equal(logits.argmax(-1), GOLDEN[f"B_samples_at_z_{which}"])
            golden.train().teacher_forcing = 1.0
            forced = golden.decode(z, x).detach()
            np.testing.assert_allclose(forced, GOLDEN[f"B_weights_teacher_forced_at_z_{which}"], **close)
            if which == "mean":
                loss, wanted = losses.reconstruction_music(forced, x), GOLDEN["B_ce_teacher_forced_at_z_mean"]
                np.testing.assert_allclose(loss, wanted, rtol=1e-4)
                hits = (forced.argmax(-1) == x).float().mean()
                np.testing.assert_allclose(hits, GOLDEN["B_acc_teacher_forced_at_z_mean"], rtol=1e-6)


def test_random_numbers_come_from_the_generator_alone(small: MeasureVAE) -> None:
    x = symbols(40)
    results = []
    for noise in (1, 2):
        torch.manual_seed(noise)
        models.set_generator(small, torch.Generator().manual_seed(5))
        outputs = [(*small.encode(x), small.decode(torch.zeros(40, 8), x)) for _ in range(4)]
        results.append([part.detach() for output in outputs for part in output])
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))
    assert not torch.equal(results[0][0], results[0][3])  # dropout differs from call to call
    assert len({logits.sum().item() for logits in results[0][2::3]}) == 2  # forced or not, nothing else
    small.generator = None
    with pytest.raises(RuntimeError, match="set_generator"):
        small.encode(x)
    assert torch.isfinite(small.eval().encode(x)[0]).all()


def test_without_true_symbols_the_decoder_feeds_itself(small: MeasureVAE) -> None:
    small.train().teacher_forcing = 1.0
    z = torch.randn(30, 8, generator=torch.Generator().manual_seed(0))
    alone = small.decode(z)
    forced = small.decode(z, alone.argmax(-1))  # its own symbols given as the true ones: the same
    torch.testing.assert_close(alone, forced, atol=1e-6, rtol=1e-5)
    assert not torch.allclose(alone, small.decode(z, symbols(30)))
    assert torch.equal(small.eval().decode(z, symbols(30)), small.decode(z))


def test_large_inputs_are_worked_through_in_parts(small: MeasureVAE) -> None:
    small.eval()
    x = symbols(1100)
    with torch.no_grad():
        mean, log_std = small.encode(x)
        logits = small.decode(mean)
        assert small.decode(mean[:0]).shape == (0, 24, 12)
    whole = small.encode(x)
    torch.testing.assert_close(mean, whole[0].detach(), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(log_std, whole[1].detach(), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(logits, small.decode(mean).detach(), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("path", ["plain", "fast"])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("n", [1, 5])
def test_other_sizes_run(layers: int, n: int, path: str) -> None:
    model = MeasureVAE(9, 4, embedding=3, hidden=6, layers=layers, dense=5)
    if path == "fast":
        fast.use(model)
    models.set_generator(model, torch.Generator().manual_seed(0))
    x = symbols(n, 9)
    mean, log_std = model.encode(x)
    logits = model.decode(mean, x)
    assert mean.shape == log_std.shape == (n, 4) and logits.shape == (n, 24, 9)
    (logits.sum() + log_std.sum()).backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in model.parameters())


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_it_learns_a_few_measures_by_heart(precision: str) -> None:
    setup = params.load().setup("bach", "arvae")
    generator = torch.Generator().manual_seed(0)
    model = MeasureVAE(12, 32, hidden=48, dense=64, dropout=0.0)
    models.initialise(model, generator)
    flat = fast.FlatAdam(fast.use(model), 1e-2, dtype=getattr(torch, precision))
    models.set_generator(model, generator)
    x, attributes = symbols(8), torch.rand(8, 4, generator=generator)
    model.train()
    for _ in range(60):
        flat.zero_grad()
        terms = vae.loss(model, x, attributes, setup, generator)
        terms["loss"].backward()
        flat.step()
    with torch.no_grad():
        model.eval()
        mean, log_std = model.encode(x)
        assert mean.dtype == log_std.dtype == torch.float32
        logits = model.decode(mean)
    assert logits.dtype == torch.float32
    assert (logits.argmax(-1) == x).float().mean() > 0.4  # by chance 0.08
