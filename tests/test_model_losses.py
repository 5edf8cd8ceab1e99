"""What each model minimises, term by term: values and gradients equal the formula written out once more."""

import os
import shutil
import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from arvae import losses, models, params, paths
from arvae.models import fader, glsr, vae
from arvae.models.fader import Fader
from arvae.models.glsr import SLOPE, SPREAD, STEP, expected
from arvae.models.vae import reconstruct, sample
from arvae.music.coding import WEIGHTS, Vocabulary
from arvae.training.runs import code_hash
from tests.test_training import data  # noqa: F401 (a fixture)

M, D = 7, 4  # batch, latent dimensions


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Plain(nn.Module):
    """Encoder and decoder of one matrix each, float64."""

    attribute_regularization = staticmethod(losses.attribute_regularization)

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        draw = {"generator": seeded(1), "dtype": torch.float64}
        self.mean = nn.Parameter(torch.randn(inputs, D, **draw) / inputs**0.5)
        self.log_std = nn.Parameter(torch.randn(inputs, D, **draw) / inputs)
        self.weight = nn.Parameter(torch.randn(D, outputs, **draw))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = x.flatten(1).double()
        return x @ self.mean + 0.7, x @ self.log_std - 0.4


class Image(Plain):
    kind = "images"

    def __init__(self):
        super().__init__(9, 9)

    def decode(self, z: Tensor) -> Tensor:
        return (z @ self.weight).view(-1, 1, 3, 3)


class Measure(Plain):
    """Feeds nothing back, but what it is fed moves the result a little, so that a wrong feed shows."""

    kind = "music"

    def __init__(self, forced: bool):
        self.forced = forced
        super().__init__(24, 24 * Vocabulary().size)

    def coin(self) -> bool:
        return self.forced

    def decode(self, z: Tensor, x: Tensor | None = None, forced: bool | None = None) -> Tensor:
        logits = (z @ self.weight).view(-1, 24, Vocabulary().size)
        tilt = torch.linspace(0, 0.1, Vocabulary().size, dtype=torch.float64)
        return logits + tilt * x[..., None] if forced else logits

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return super().encode(x / Vocabulary().size)


def setup_with(dataset: str, **hyperparameters) -> params.Setup:
    setup = params.load().setup(dataset, "arvae")
    return setup.model_copy(
        update={"hyperparameters": setup.hyperparameters.model_copy(update=hyperparameters)}
    )


def image_batch() -> tuple[Tensor, Tensor]:
    x = torch.rand(M, 1, 3, 3, generator=seeded(2), dtype=torch.float64)
    return x, torch.randint(0, 4, (M, 2), generator=seeded(3)).double()  # with ties


def gaussian(model: Plain, x: Tensor, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, sampled code and divergence from the prior, by the textbook."""
    mean, log_std = model.encode(x)
    z = mean + log_std.exp() * torch.randn(M, D, generator=seeded(seed), dtype=torch.float64)
    kl = (log_std.exp() ** 2 + mean**2 - 1 - 2 * log_std).sum() / (2 * M)
    return mean, z, kl


def cross_entropy(logits: Tensor, x: Tensor) -> Tensor:
    p = torch.sigmoid(logits)
    return -(x * p.log() + (1 - x) * (1 - p).log()).sum() / M


def gradients(model: nn.Module, loss: Tensor) -> list[Tensor]:
    """The slopes of a loss by all of a model's weights, 0 where one plays no part."""
    weights = list(model.parameters())
    return torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True, materialize_grads=True)


def same_gradients(model: nn.Module, given: Tensor, wanted: Tensor) -> None:
    for ours, theirs in zip(gradients(model, given), gradients(model, wanted), strict=True):
        torch.testing.assert_close(ours, theirs)


def same_with_gradients(model: nn.Module, given: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(given, wanted)
    same_gradients(model, given, wanted)


VAE_CASES = {
    "beta and gamma": {},
    "less than the capacity": {"capacity": 40.0},
    "more than the capacity": {"capacity": 0.5},
    "no regularization": {"gamma": 0.0},
    "the mean is ordered": {"regularize": "mean"},
    "another delta": {"delta": 3.0},
}


@pytest.mark.parametrize("name", VAE_CASES)
def test_vae_is_reconstruction_and_divergence_and_order(name: str) -> None:
    hyperparameters = {"beta": 0.3, "gamma": 2.5, "delta": 1.0, "capacity": 0.0, "regularize": "sample"}
    hyperparameters |= VAE_CASES[name]
    setup = setup_with("mnist", **hyperparameters).model_copy(update={"dimensions": (3, 1)})
    model, (x, attributes) = Image(), image_batch()
    terms = vae.loss(model, x, attributes, setup, seeded(5))
    mean, z, kl = gaussian(model, x, 5)
    code = mean if hyperparameters["regularize"] == "mean" else z
    order = losses.attribute_regularization(
        torch.stack([code[:, 3], code[:, 1]], 1), attributes, hyperparameters["delta"]
    )
    reconstruction = cross_entropy(model.decode(z), x)
    wanted = (
        reconstruction + 0.3 * (kl - hyperparameters["capacity"]).abs() + hyperparameters["gamma"] * order
    )
    same_with_gradients(model, terms["loss"], wanted)
    assert set(terms) == {"loss", "reconstruction", "kl", "regularization"}
    for key, value in (("reconstruction", reconstruction), ("kl", kl), ("regularization", order)):
        torch.testing.assert_close(terms[key].detach(), value.detach())


def test_cases_are_on_both_sides_of_the_capacity() -> None:
    kl = gaussian(Image(), image_batch()[0], 5)[2].item()
    assert 0.5 < kl < 40


def blind() -> tuple[Fader, Tensor, Tensor]:
    """A small Fader network in float64 without dropout, its batch."""
    architecture = setup_with("mnist").architecture.model_dump() | {"channels": (4, 4, 2), "hidden": 16}
    model = Fader(2, D, None, **architecture).double().eval()
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(0.3 * torch.randn(p.shape, generator=seeded(p.numel()), dtype=torch.float64))
    attributes = 5 + 3 * torch.rand(M, 2, generator=seeded(3), dtype=torch.float64)
    model.fit_attributes(4 + 6 * torch.rand(50, 2, generator=seeded(4), dtype=torch.float64))
    return model, torch.rand(M, 1, 28, 28, generator=seeded(2), dtype=torch.float64), attributes


def unread(model: Fader, z: Tensor, attributes: Tensor) -> Tensor:
    """The adversary's loss with an ordinary gradient."""
    wanted = (attributes - model.lowest) / model.span
    wrong = (torch.sigmoid(model.discriminator(z)) - wanted) ** 2
    return sum(wrong[:, i].mean() / model.variance[i] for i in range(2)) / 2


def test_fader_reads_better_and_hides_better() -> None:
    """The discriminator goes down the slope of its own loss, the encoder, gamma times, up the same slope."""
    model, x, attributes = blind()
    gamma = 3.0
    terms = fader.loss(model, x, attributes, setup_with("mnist", objective="fader", gamma=gamma), seeded())
    z, _ = model.encode(x)
    scaled = (attributes - model.lowest) / model.span
    reconstruction = cross_entropy(model.network.decode(torch.cat([z, scaled], 1)), x)
    adversary = unread(model, z, attributes)
    torch.testing.assert_close(terms["loss"], reconstruction + adversary)
    torch.testing.assert_close(terms["reconstruction"], reconstruction)
    torch.testing.assert_close(terms["adversary"], adversary)
    assert terms["kl"] == terms["regularization"] == 0
    same_gradients(model.discriminator, terms["loss"], adversary)
    same_gradients(model.network, terms["loss"], reconstruction - gamma * adversary)
    assert gradients(model.network, adversary)[0].abs().max() > 1e-6


def measures() -> tuple[Tensor, Tensor]:
    x = torch.randint(Vocabulary().size, (M, 24), generator=seeded(2))
    return x, torch.rand(M, 4, generator=seeded(3), dtype=torch.float64)


def starts(logits: Tensor) -> Tensor:
    """The probability that a note starts at each tick, (m, 24)."""
    powers = logits.exp()
    return powers[..., : Vocabulary().pitches].sum(-1) / powers.sum(-1)


@pytest.mark.parametrize("forced", [True, False])
@pytest.mark.parametrize("capacity", [0.0, 40.0])
def test_glsr_is_reconstruction_and_divergence_and_slope(forced: bool, capacity: float) -> None:
    """The slopes of rhythmic complexity and density (attributes 3 and 1 here) along dimensions 2 and 0."""
    names = ("pitch range", "note density", "contour", "rhythmic complexity")
    setup = setup_with("bach", objective="glsr", beta=0.3, gamma=2.5, capacity=capacity)
    setup = setup.model_copy(update={"attributes": names, "dimensions": (1, 0, 3, 2)})
    model, (x, attributes) = Measure(forced), measures()
    terms = glsr.loss(model, x, attributes, setup, seeded(5))
    _, z, kl = gaussian(model, x, 5)
    logits = model.decode(z, x, forced)
    chosen = logits.log_softmax(-1).gather(-1, x[..., None])
    reconstruction = -chosen.mean()
    fed = x if forced else logits.argmax(-1)
    weights = {"note density": torch.full((24,), 1 / 24).double()}
    weights["rhythmic complexity"] = torch.tensor(WEIGHTS).double() / sum(WEIGHTS)
    slopes = []
    for name, column, dimension in (("note density", 1, 0), ("rhythmic complexity", 3, 2)):
        moved = z.clone()
        moved[:, dimension] = moved[:, dimension] + STEP
        rise = (starts(model.decode(moved, fed, True)) - starts(logits)) @ weights[name]
        slopes.append(rise / STEP / attributes[:, column].std())
    likelihood = sum(((slope - SLOPE) ** 2 / (2 * SPREAD**2)).mean() for slope in slopes)
    wanted = reconstruction + 0.3 * (kl - capacity).abs() + 2.5 * likelihood
    same_with_gradients(model, terms["loss"], wanted)
    for key, value in (("reconstruction", reconstruction), ("kl", kl), ("regularization", likelihood)):
        torch.testing.assert_close(terms[key], value)
    torch.testing.assert_close(terms["slope"], torch.cat(slopes).mean())


def test_expected_attributes_are_weighted_sums_of_onsets() -> None:
    logits = torch.randn(3, 24, Vocabulary().size, generator=seeded(), dtype=torch.float64)
    found = expected(logits, ["note density", "rhythmic complexity"])
    onset = starts(logits)
    torch.testing.assert_close(found[:, 0], onset.mean(1))
    torch.testing.assert_close(found[:, 1], (onset * torch.tensor(WEIGHTS)).sum(1) / sum(WEIGHTS))


def test_the_way_back_is_that_of_the_kind() -> None:
    """Music is taught (given what it is to write), pictures are not; both in nats."""
    x, _ = measures()
    model = Measure(True)
    z = torch.randn(M, D, generator=seeded(), dtype=torch.float64)
    wanted = F.nll_loss(model.decode(z, x, True).log_softmax(-1).flatten(0, 1), x.flatten())
    taught = model.decode
    model.decode = lambda z, x: taught(z, x, True)
    torch.testing.assert_close(reconstruct(model, z, x), wanted)


def test_samples_have_the_mean_and_deviation_asked_for() -> None:
    mean, log_std = torch.full((20_000, 2), 3.0), torch.tensor([0.5, 2.0]).log().expand(20_000, 2)
    z = sample(mean, log_std, seeded())
    assert z.mean(0).tolist() == pytest.approx([3, 3], abs=0.06)
    assert z.std(0).tolist() == pytest.approx([0.5, 2], rel=0.03)
    assert torch.equal(z, sample(mean, log_std, seeded()))


NEW = '''"""A plain auto-encoder: reconstruction alone."""

import torch

from arvae.models.vae import reconstruct

KINDS = ("images",)


def loss(model, x, attributes, setup, generator):
    mean, _ = model.encode(x)
    total = reconstruct(model, mean, x)
    none = torch.zeros_like(total.detach())
    return {"loss": total, "reconstruction": total, "kl": none, "regularization": none}
'''

TRAIN = """
import sys
from arvae import params, training
from arvae.training.runs import code_hash
setup = params.load().setup("mnist", "plain")
schedule = setup.schedule.model_copy(update={"epochs": 0.1})
engine = setup.engine.model_copy(update={"executor": "serial", "device": "cpu"})
setup = setup.model_copy(update={"schedule": schedule, "engine": engine})
runs = [training.Run("seed0", 0)]
(result,) = training.train(setup, sys.argv[1], runs, "checkpoints", directory="models")
print(result.status, sorted(result.last), code_hash("images", "vae", True))
"""


def test_a_new_model_is_one_module_and_one_entry(data, tmp_path):  # noqa: F811
    """In a copy of the package: it trains, and what was trained before keeps its key."""
    home = paths.root(__file__)
    shutil.copytree(home / "arvae", tmp_path / "arvae", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "arvae" / "models" / "plain.py").write_text(NEW, encoding="utf-8")
    text = (home / "params.yaml").read_text(encoding="utf-8")
    for section, entry in {
        "models": "  plain:\n    images: {objective: plain, learning_rate: 1.0e-3, beta: 0.0, gamma: 0.0, "
        "delta: 1.0, capacity: 0.0, regularize: sample}\n",
        "setups": "  mnist: [betavae, arvae, plain]\n",
    }.items():
        assert f"\n{section}:\n" in text
        text = text.replace(f"\n{section}:\n", f"\n{section}:\n{entry}")
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-c", TRAIN, str(data)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    status, rest = run.stdout.splitlines()[-1].split(" ", 1)
    assert status == "finished" and "validation_reconstruction" in rest
    assert rest.endswith(code_hash("images", "vae", True))


def test_an_objective_that_is_not_there_or_not_for_this_kind_is_refused() -> None:
    setup = params.load().setup("bach", "arvae")
    hyperparameters = setup.hyperparameters.model_copy(update={"objective": "fader"})
    with pytest.raises(ValueError, match="bach-arvae: objective 'fader' is for images, not for music"):
        models.build(setup.model_copy(update={"hyperparameters": hyperparameters}))
