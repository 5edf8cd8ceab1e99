"""Adam as torch has it, parameter by parameter; `arvae.fast.FlatAdam` is its twin."""

import collections

import torch
from torch import Tensor, nn


class Adam:
    """A model and its optimizer: what the training loop asks of them."""

    def __init__(self, model: nn.Module, learning_rate: float, device: str = "cpu") -> None:
        self.model = model.to(device)
        self.optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)

    def zero_grad(self) -> None:
        """Clear the gradients."""
        self.optimizer.zero_grad()

    def set_rate(self, learning_rate: float) -> None:
        """Adam's rate from now on."""
        self.optimizer.param_groups[0]["lr"] = learning_rate

    def step(self, clip: float | None = None) -> None:
        """One Adam step with the gradients that backward() has left, scaled down to the norm `clip`."""
        if clip is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), clip)
        self.optimizer.step()

    def weights(self) -> dict[str, Tensor]:
        """The weights by name, copied to the processor's memory; buffers included."""
        tensors = self.model.state_dict()
        return {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}

    def state(self) -> dict[str, Tensor]:
        """All that decides the next steps: the weights, Adam's averages and step counts."""
        tensors = {f"model.{name}": tensor for name, tensor in self.weights().items()}
        for index, values in self.optimizer.state_dict()["state"].items():
            tensors |= {f"adam.{index}.{name}": value for name, value in values.items()}
        return tensors

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go back to a `state()`."""
        weights, adam = {}, collections.defaultdict(dict)
        for name, tensor in state.items():
            part, _, name = name.partition(".")
            if part == "model":
                weights[name] = tensor
            elif part == "adam":
                index, what = name.split(".")
                adam[int(index)][what] = tensor
        self.model.load_state_dict(weights)
        self.optimizer.load_state_dict(self.optimizer.state_dict() | {"state": dict(adam)})
