"""The digit classifier that judges whether an edited digit is still the same digit (content preservation).

A small convolutional network of its own, trained on MNIST's training split and never shown a reconstruction.
The paper's classifier reads 96.15 % of the test digits; a judge should do better (99 % and more), since what
it misreads by itself is counted against the models.
"""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from arvae.fast.layers import Dropout
from arvae.files import atomic_write
from arvae.params import ClassifierParams, ClassifierSchedule
from arvae.progress import Progress

DIGITS = 10
SHIFT = 1  # training batches are moved by up to so many pixels: decoded digits are not centred exactly
BATCH = 1000


class DigitClassifier(nn.Module):
    """Two 5 x 5 convolutions with pooling, one hidden layer; grey 28 x 28 digits in, 10 logits out."""

    def __init__(self, channels: tuple[int, int], hidden: int, dropout: float) -> None:
        super().__init__()
        first, second = channels
        # Pooling before the rectifier gives the same and costs a quarter.
        self.layers = nn.Sequential(
            nn.Conv2d(1, first, 5),  # (n, first, 24, 24)
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Conv2d(first, second, 5),  # (n, second, 8, 8)
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(second * 16, hidden),
            nn.ReLU(),
            Dropout(dropout),
            nn.Linear(hidden, DIGITS),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Images (n, 1, 28, 28) in 0..1 -> logits (n, 10), float32."""
        weight = self.layers[0].weight
        return self.layers(x.to(weight.dtype, memory_format=torch.channels_last)).float()


@dataclasses.dataclass(frozen=True)
class TrainedClassifier:
    """A trained classifier and how it came about: rows of step, epoch, seconds, loss and,
    at the end of each epoch, validation_accuracy."""

    model: DigitClassifier
    history: list[dict[str, float]]


def build(hyperparameters: ClassifierParams, generator: torch.Generator) -> DigitClassifier:
    """A freshly initialised classifier, Kaiming-uniform weights drawn from `generator`."""
    with torch.random.fork_rng(devices=[]):
        model = DigitClassifier(hyperparameters.channels, hyperparameters.hidden, hyperparameters.dropout)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim >= 2:
                nn.init.kaiming_uniform_(parameter, nonlinearity="relu", generator=generator)
            else:
                parameter.zero_()
    return model.to(memory_format=torch.channels_last)


def train(
    images: np.ndarray,
    labels: np.ndarray,
    validation: tuple[np.ndarray, np.ndarray],
    hyperparameters: ClassifierParams,
    schedule: ClassifierSchedule,
    dtype: torch.dtype = torch.float32,
    log: Callable[[str], None] | None = None,
) -> TrainedClassifier:
    """Train on images uint8 (n, 28, 28) and labels (n,); Adam on a one-cycle schedule.

    dtype: what the network computes in; the weights that Adam moves are float32 in any case. The result
    depends on `hyperparameters.seed`, on dtype and, in the last bits, on torch's number of threads.

    Raises:
        ValueError: fewer images than one batch, or labels that are no digits.
    """
    batch = min(hyperparameters.batch_size, len(images))
    if len(images) < 2 or len(labels) != len(images) or labels.min() < 0 or labels.max() >= DIGITS:
        raise ValueError(
            f"{len(images)} images and {len(labels)} labels: give as many, at least 2, labels 0-9"
        )
    generator = torch.Generator().manual_seed(hyperparameters.seed)
    master = build(hyperparameters, generator)
    network = build(hyperparameters, torch.Generator()).to(dtype)
    network.layers[9].generator = generator
    x = torch.from_numpy(np.ascontiguousarray(images))[:, None]
    y = torch.from_numpy(labels.astype(np.int64))
    per_epoch = len(images) // batch
    steps = max(1, round(schedule.epochs * per_epoch))
    optimizer = torch.optim.Adam(master.parameters(), lr=schedule.peak)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, schedule.peak, total_steps=max(steps, 2))
    progress = Progress(steps, "digit classifier", "steps", log=log)
    pairs = list(zip(master.parameters(), network.parameters(), strict=True))
    history: list[dict[str, float]] = []
    order, losses, start = torch.empty(0), [], time.monotonic()
    for step in range(steps):
        if step % per_epoch == 0:
            order = torch.randperm(len(images), generator=generator)
        rows = order[(step % per_epoch) * batch :][:batch]
        loss = _step(network, pairs, _shifted(x[rows], generator), y[rows])
        optimizer.step()
        rate.step()
        losses.append(loss)
        epoch_ends = step == steps - 1 or (step + 1) % per_epoch == 0
        if epoch_ends or (step + 1) % max(1, steps // 20) == 0:
            row = {"step": step + 1, "epoch": (step + 1) / per_epoch, "seconds": time.monotonic() - start}
            row["loss"] = float(torch.stack(losses).mean())
            if epoch_ends:
                row["validation_accuracy"] = accuracy(_with_weights(network, pairs), *validation)
            history.append(row)
            losses = []
        progress.update(1, f"loss {loss.item():.3f}")
    progress.close(f"validation accuracy {100 * history[-1]['validation_accuracy']:.2f} %")
    return TrainedClassifier(master.eval(), history)


def _step(network: DigitClassifier, pairs: list, x: Tensor, y: Tensor) -> Tensor:
    """Forward and backward in the network's type, gradients handed to the float32 weights; the loss."""
    _with_weights(network, pairs).train()
    network.zero_grad(set_to_none=True)
    loss = nn.functional.cross_entropy(network(x / 255.0), y)
    loss.backward()
    for weight, copy in pairs:
        weight.grad = copy.grad.to(weight.dtype)
    return loss.detach()


def _with_weights(network: DigitClassifier, pairs: list) -> DigitClassifier:
    with torch.no_grad():
        for weight, copy in pairs:
            copy.copy_(weight)
    return network


def _shifted(x: Tensor, generator: torch.Generator) -> Tensor:
    """The batch moved by up to SHIFT pixels, all its images alike (the border of MNIST is empty)."""
    by = torch.randint(-SHIFT, SHIFT + 1, (2,), generator=generator).tolist()
    return x.roll(by, dims=(2, 3))


def predict(model: DigitClassifier, images: np.ndarray) -> np.ndarray:
    """The digit read in each image, (n, 28, 28) uint8 0..255 or float 0..1: uint8 (n,)."""
    model.eval()
    read = []
    with torch.inference_mode():
        for start in range(0, len(images), BATCH):
            x = torch.from_numpy(np.ascontiguousarray(images[start : start + BATCH]))[:, None]
            x = x / 255.0 if x.dtype == torch.uint8 else x.float()
            read.append(model(x).argmax(1))
    return torch.cat(read).numpy().astype(np.uint8) if read else np.empty(0, np.uint8)


def accuracy(model: DigitClassifier, images: np.ndarray, labels: np.ndarray) -> float:
    """Share of images read as their label, 0 to 1."""
    return float((predict(model, images) == labels).mean())


def save(model: DigitClassifier, hyperparameters: ClassifierParams, directory: Path | str) -> Path:
    """Write float32 weights to directory/classifier.safetensors, its sizes in the file's metadata."""
    path = Path(directory) / "classifier.safetensors"
    weights = {name: tensor.float().contiguous() for name, tensor in model.state_dict().items()}
    with atomic_write(path) as temporary:
        save_file(weights, temporary, metadata={"hyperparameters": hyperparameters.model_dump_json()})
    return path


def load(directory: Path | str, hyperparameters: ClassifierParams) -> DigitClassifier:
    """Read what `save` wrote, ready to judge (eval mode, float32); ValueError names what is missing."""
    path = Path(directory) / "classifier.safetensors"
    if not path.is_file():
        raise ValueError(f"no digit classifier at {path}: run `dvc repro classifier`")
    model = build(hyperparameters, torch.Generator())
    try:
        model.load_state_dict(load_file(path))
    except (RuntimeError, OSError) as error:
        raise ValueError(f"{path} does not fit params.yaml: run `dvc repro classifier` ({error})") from error
    return model.to(memory_format=torch.channels_last).eval()
