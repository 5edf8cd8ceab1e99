"""The digit classifier that judges whether an edited digit is still the same digit (content preservation).

A small network of its own, trained on MNIST's training split and never shown a reconstruction. The paper's
reads 96.15 % of the test digits; a judge should do better, since what it misreads counts against the models.
"""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

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
            nn.Dropout(dropout),
            nn.Linear(hidden, DIGITS),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Images (n, 1, 28, 28) in 0..1 -> logits (n, 10)."""
        return self.layers(x)


@dataclasses.dataclass(frozen=True)
class TrainedClassifier:
    """A trained classifier and its history: step, epoch, seconds, loss, after epochs validation_accuracy."""

    model: DigitClassifier
    history: list[dict[str, float]]


def build(hyperparameters: ClassifierParams) -> DigitClassifier:
    """A fresh classifier; its weights depend on the seed in `hyperparameters` alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(hyperparameters.seed)
        return DigitClassifier(hyperparameters.channels, hyperparameters.hidden, hyperparameters.dropout)


def train(
    images: np.ndarray,
    labels: np.ndarray,
    validation: tuple[np.ndarray, np.ndarray],
    hyperparameters: ClassifierParams,
    schedule: ClassifierSchedule,
    log: Callable[[str], None] | None = None,
) -> TrainedClassifier:
    """Train on images uint8 (n, 28, 28) and labels (n,); Adam on a one-cycle schedule.

    The result depends on `hyperparameters.seed` and, in the last bits, on torch's number of threads.

    Raises:
        ValueError: fewer images than two, or labels that are no digits.
    """
    batch = min(hyperparameters.batch_size, len(images))
    if len(images) < 2 or len(labels) != len(images) or labels.min() < 0 or labels.max() >= DIGITS:
        raise ValueError(
            f"{len(images)} images and {len(labels)} labels: give as many, at least 2, labels 0-9"
        )
    model = build(hyperparameters)
    x, y = _batch(images), torch.from_numpy(labels.astype(np.int64))
    per_epoch = len(images) // batch
    steps = max(1, round(schedule.epochs * per_epoch))
    optimizer = torch.optim.Adam(model.parameters(), lr=schedule.peak)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, schedule.peak, total_steps=max(steps, 2))
    progress = Progress(steps, "digit classifier", "steps", log=log)
    history: list[dict[str, float]] = []
    losses, start = [], time.monotonic()
    with torch.random.fork_rng(devices=[]):  # order, shifts and dropout
        torch.manual_seed(hyperparameters.seed)
        for step in range(steps):
            if step % per_epoch == 0:
                order = torch.randperm(len(images))
            rows = order[(step % per_epoch) * batch :][:batch]
            # The batch is moved, all its images alike: the border of MNIST is empty.
            shift = torch.randint(-SHIFT, SHIFT + 1, (2,)).tolist()
            logits = model.train()(x[rows].roll(shift, dims=(2, 3)) / 255)
            loss = nn.functional.cross_entropy(logits, y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            rate.step()
            losses.append(loss.item())
            epoch_ends = step == steps - 1 or (step + 1) % per_epoch == 0
            if epoch_ends or (step + 1) % max(1, steps // 20) == 0:
                row = {"step": step + 1, "epoch": (step + 1) / per_epoch, "loss": float(np.mean(losses))}
                row["seconds"] = time.monotonic() - start
                if epoch_ends:
                    row["validation_accuracy"] = accuracy(model, *validation)
                history.append(row)
                losses = []
            progress.update(1, f"loss {loss.item():.3f}")
    progress.close(f"validation accuracy {100 * history[-1]['validation_accuracy']:.2f} %")
    return TrainedClassifier(model.eval(), history)


def _batch(images: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(images))[:, None]


def predict(model: DigitClassifier, images: np.ndarray) -> np.ndarray:
    """The digit read in each image, (n, 28, 28) uint8 0..255 or float 0..1: uint8 (n,)."""
    return _logits(model, images).argmax(1).numpy().astype(np.uint8)


def confidence(model: DigitClassifier, images: np.ndarray) -> np.ndarray:
    """The probability that the classifier gives the digit it reads, images as in `predict`: (n,)."""
    return _logits(model, images).softmax(1).amax(1).numpy()


def _logits(model: DigitClassifier, images: np.ndarray) -> Tensor:
    model.eval()
    top = 255 if images.dtype == np.uint8 else 1
    with torch.inference_mode():
        return torch.cat([model(part.float() / top) for part in _batch(images).split(BATCH)])


def accuracy(model: DigitClassifier, images: np.ndarray, labels: np.ndarray) -> float:
    """Share of images read as their label, 0 to 1."""
    return float((predict(model, images) == labels).mean())


def save(model: DigitClassifier, hyperparameters: ClassifierParams, directory: Path | str) -> Path:
    """Write the weights to directory/classifier.safetensors, the sizes in the file's metadata."""
    path = Path(directory) / "classifier.safetensors"
    with atomic_write(path) as temporary:
        metadata = {"hyperparameters": hyperparameters.model_dump_json()}
        save_file(model.state_dict(), temporary, metadata=metadata)
    return path


def load(directory: Path | str, hyperparameters: ClassifierParams) -> DigitClassifier:
    """Read what `save` wrote, ready to judge (eval mode); ValueError names what is missing."""
    path = Path(directory) / "classifier.safetensors"
    if not path.is_file():
        raise ValueError(f"no digit classifier at {path}: run `dvc repro classifier`")
    model = build(hyperparameters)
    try:
        model.load_state_dict(load_file(path))
    except (RuntimeError, OSError) as error:
        raise ValueError(f"{path} does not fit params.yaml: run `dvc repro classifier` ({error})") from error
    return model.eval()
