"""Training data held in memory (or on the device) as it is stored, made into batches in a few operations.

The order of the examples depends on the run's seed and the epoch alone: nothing has to be remembered to
go on from the middle of an epoch.
"""

import numpy as np
import torch
from torch import Tensor

from arvae.datasets.contract import Dataset, PackedImages, Split
from arvae.params import Setup


class Source:
    """One split as tensors: x as stored (bit-packed, bytes or tokens), and the setup's attributes."""

    def __init__(self, dataset: Dataset, split: Split, setup: Setup, device: str = "cpu") -> None:
        self.kind, self.packed = dataset.kind, isinstance(split.x, PackedImages)
        if self.packed:
            x: np.ndarray = split.x.packed
        elif dataset.kind == "music":
            x = dataset.vocabulary.encode(split.x)
        else:
            x = split.x
        self.x = torch.from_numpy(np.ascontiguousarray(x)).to(device)
        columns = attribute_columns(dataset, setup)
        self.attributes = torch.from_numpy(np.ascontiguousarray(split.attributes[:, columns])).to(device)
        self.device = device

    def __len__(self) -> int:
        return len(self.x)

    def take(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Examples by number: x as the model takes it (images float32 0..1, tokens int64), attributes."""
        index = index.to(self.device)
        x = self.x.index_select(0, index)
        if self.kind == "music":
            x = x.long()
        elif self.packed:
            x = unpack(x).unsqueeze(1).float()
        else:
            x = x.unsqueeze(1).float().div_(255.0)
        return x, self.attributes.index_select(0, index)


def unpack(packed: Tensor) -> Tensor:
    """uint8 (m, h, w / 8) -> uint8 (m, h, w) of zeros and ones."""
    if packed.device.type == "cpu":
        return torch.from_numpy(np.unpackbits(packed.numpy(), axis=-1))
    return _unpack_on_device(packed)


def _unpack_on_device(packed: Tensor) -> Tensor:
    shifts = torch.arange(7, -1, -1, dtype=torch.uint8, device=packed.device)
    return (packed.unsqueeze(-1) >> shifts).bitwise_and_(1).flatten(-2)


def some(count: int, n: int) -> Tensor:
    """The numbers of n of `count` examples (all, where there are no more), always the same ones.

    From everywhere and in no order: data may lie tune by tune, a measure's transpositions side by side.
    """
    chosen = np.random.default_rng(0).choice(count, min(n, count), replace=False)
    return torch.from_numpy(chosen)


def attribute_columns(dataset: Dataset, setup: Setup) -> list[int]:
    """Which columns of the data set's attributes the setup regularizes, in the setup's order."""
    unknown = [name for name in setup.attributes if name not in dataset.attribute_names]
    if unknown:
        raise ValueError(
            f"setup {setup.name}: attribute {unknown[0]!r} is not one of data set {dataset.name}'s: "
            f"{', '.join(dataset.attribute_names)}; correct datasets.{setup.dataset}.attributes in "
            "params.yaml"
        )
    return [dataset.attribute_names.index(name) for name in setup.attributes]


class Order:
    """Which examples make batch number `step`: a new permutation every epoch, the odd rest left out."""

    def __init__(self, count: int, batch_size: int, seed: int, device: str = "cpu") -> None:
        self.batch_size = min(batch_size, count)
        self.per_epoch = count // self.batch_size
        self.count, self.seed, self.device = count, seed, device
        self._epoch, self._permutation = -1, torch.empty(0, dtype=torch.int64)

    def batch(self, step: int) -> Tensor:
        """int64 (batch_size,), on the device: the numbers of the examples of step 0, 1, 2, ..."""
        epoch, position = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            random = np.random.default_rng([self.seed, 1, epoch])
            permutation = torch.from_numpy(random.permutation(self.count))
            self._epoch, self._permutation = epoch, permutation.to(self.device)  # once an epoch, not a step
        start = position * self.batch_size
        return self._permutation[start : start + self.batch_size]
