"""Adam over a model whose parameters lie side by side in one vector: twin of `training.optimizer.Adam`."""

import torch
from torch import Tensor, nn

_ALIGN = 32  # elements: every parameter starts on a 64-byte line, in bfloat16 too


class FlatAdam:
    """A model whose parameters lie in one float32 vector, with one gradient vector and one Adam over them.

    In bfloat16 the network's own parameters are a rounded copy of that vector, refreshed after every step:
    small updates add up in float32 and are never lost to rounding. One fused Adam over one vector costs the
    same for thirty small tensors as for one.
    """

    def __init__(
        self,
        model: nn.Module,
        learning_rate: float,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
        graphs: bool = False,
    ) -> None:
        self.model = model.to(device)
        self.slots: dict[str, tuple[int, torch.Size]] = {}
        size = 0
        for name, parameter in model.named_parameters():
            self.slots[name] = (size, parameter.shape)
            size += -(-parameter.numel() // _ALIGN) * _ALIGN
        self.master = torch.zeros(size, device=device)
        self.compute = self.master if dtype == torch.float32 else torch.zeros_like(self.master, dtype=dtype)
        self.gradient = torch.zeros_like(self.master, dtype=dtype)
        for name, parameter in model.named_parameters():
            self._view(self.master, name).copy_(parameter.data)
            parameter.data = self._view(self.compute, name)
            parameter.grad = self._view(self.gradient, name)
        self.master.grad = self.gradient if dtype == torch.float32 else torch.zeros_like(self.master)
        # A recorded step finds the rate where it was when it was recorded: in a tensor.
        rate = torch.tensor(learning_rate, device=device) if graphs else learning_rate
        self.optimizer = torch.optim.Adam([self.master], lr=rate, fused=True, capturable=graphs)
        self.refresh()

    def _view(self, flat: Tensor, name: str) -> Tensor:
        start, shape = self.slots[name]
        return flat[start : start + shape.numel()].view(shape)

    def refresh(self) -> None:
        """Bring the network's parameters up to date with the float32 vector."""
        if self.compute is not self.master:
            self.compute.copy_(self.master)

    def zero_grad(self) -> None:
        """Clear the gradient vector."""
        self.gradient.zero_()

    def set_rate(self, learning_rate: float) -> None:
        """Adam's rate from now on."""
        group = self.optimizer.param_groups[0]
        group["lr"] = group["lr"].fill_(learning_rate) if group["capturable"] else learning_rate

    def step(self, clip: float | None = None) -> None:
        """One Adam step with the gradients that backward() has left, scaled down to the norm `clip`."""
        if self.gradient is not self.master.grad:
            self.master.grad.copy_(self.gradient)
        if clip is not None:  # a NaN stays one, and stops the run
            self.master.grad.mul_(clip / self.master.grad.norm().clamp_min(clip))
        self.optimizer.step()
        self.refresh()

    def weights(self) -> dict[str, Tensor]:
        """The float32 weights by name, copied to the processor's memory; buffers included."""
        tensors = {name: self._view(self.master, name) for name in self.slots}
        tensors |= dict(self.model.named_buffers())
        return {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}

    def state(self) -> dict[str, Tensor]:
        """All that decides the next steps: the weights, Adam's two averages and its step count."""
        adam = self.optimizer.state.get(self.master, {})
        zeros = torch.zeros_like(self.master)
        return {
            "master": self.master.detach(),
            "exp_avg": adam.get("exp_avg", zeros),
            "exp_avg_sq": adam.get("exp_avg_sq", zeros),
            "adam_step": torch.as_tensor(adam.get("step", 0.0)).reshape(1).float(),
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go back to a `state()`."""
        self.master.copy_(state["master"])
        adam = {name: state[name].to(self.master) for name in ("exp_avg", "exp_avg_sq")}
        adam["step"] = state["adam_step"].reshape(()).to(self.master)
        if adam["step"] > 0:
            self.optimizer.state[self.master] = adam
        self.refresh()
