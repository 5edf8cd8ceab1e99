"""On which device and in which precision a run is trained, and the flat buffers it is trained in."""

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from arvae.params import Engine

SAME_BITS = ("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # NVIDIA's condition for the same bits every time
_ALIGN = 32  # elements: every parameter starts on a 64-byte line, in bfloat16 too


@dataclasses.dataclass(frozen=True)
class Plan:
    """device: "cpu" or "cuda"; precision: "bfloat16" or "float32"; threads: of the processor, a run.

    graphs: on CUDA, steps are recorded and replayed (graphs.py).
    """

    device: str
    precision: str
    threads: int
    graphs: bool = False

    @property
    def dtype(self) -> torch.dtype:
        """The torch type the network computes in."""
        return torch.bfloat16 if self.precision == "bfloat16" else torch.float32


def plan(engine: Engine) -> Plan:
    """Settle what `auto` means on this machine.

    Raises:
        ValueError: where CUDA is asked for and there is none.
    """
    cuda = torch.cuda.is_available()
    if engine.device == "cuda" and not cuda:
        raise ValueError("engine.device is cuda, but torch sees no GPU here: use auto or cpu")
    device = "cuda" if cuda and engine.device != "cpu" else "cpu"
    precision = engine.precision
    if precision == "auto":
        cuda = device == "cuda"
        native = torch.cuda.is_bf16_supported(including_emulation=False) if cuda else native_bfloat16()
        precision = "bfloat16" if native else "float32"
    return Plan(device, precision, engine.threads, engine.graphs and device == "cuda")


def native_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 in hardware (else it is emulated, slower than float32)."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


@contextlib.contextmanager
def repeatable(plan: Plan) -> Iterator[None]:
    """Have a GPU compute the same bits every time (a CPU does), and float32 as float32.

    torch takes kernels that do, where it has them, and warns where it has not. cuBLAS and cuDNN's recurrent
    layers want a setting of the environment, which is read when the first of them runs.
    """
    if plan.device != "cuda":
        yield
        return
    os.environ.setdefault(*SAME_BITS)
    cudnn, deterministic = torch.backends.cudnn, torch.utils.deterministic
    before = cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32, deterministic.fill_uninitialized_memory
    strict, warns = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    try:
        cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32 = False, True, False
        deterministic.fill_uninitialized_memory = False
        torch.use_deterministic_algorithms(True, warn_only=True)
        yield
    finally:
        cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32, deterministic.fill_uninitialized_memory = (
            before
        )
        torch.use_deterministic_algorithms(strict, warn_only=warns)


class FlatModel:
    """A model whose parameters lie in one float32 vector, with one gradient vector and one Adam over them.

    In bfloat16 the network's own parameters are a rounded copy of that vector, refreshed after every step:
    small updates add up in float32 and are never lost to rounding. One fused Adam over one vector costs the
    same for thirty small tensors as for one.
    """

    def __init__(self, model: nn.Module, plan: Plan, learning_rate: float) -> None:
        device, dtype = torch.device(plan.device), plan.dtype
        self.model = model.to(device)
        self.slots: dict[str, tuple[int, torch.Size]] = {}
        size = 0
        for name, parameter in model.named_parameters():
            self.slots[name] = (size, parameter.shape)
            size += -(-parameter.numel() // _ALIGN) * _ALIGN
        self.master = torch.zeros(size, device=device)
        self.compute = (
            self.master if dtype == torch.float32 else torch.zeros(size, device=device, dtype=dtype)
        )
        self.gradient = torch.zeros(size, device=device, dtype=dtype)
        for name, parameter in model.named_parameters():
            self._view(self.master, name).copy_(parameter.data)
            parameter.data = self._view(self.compute, name)
            parameter.grad = self._view(self.gradient, name)
        self.master.grad = self.gradient if dtype == torch.float32 else torch.zeros_like(self.master)
        # A recorded step finds the rate where it was when it was recorded: in a tensor.
        self.rate = torch.tensor(learning_rate, device=device) if plan.graphs else None
        lr = learning_rate if self.rate is None else self.rate
        self.optimizer = torch.optim.Adam([self.master], lr=lr, fused=True, capturable=plan.graphs)
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
        if self.rate is None:
            self.optimizer.param_groups[0]["lr"] = learning_rate
        else:
            self.rate.fill_(learning_rate)

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
        tensors |= {name: buffer for name, buffer in self.model.named_buffers()}
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
        with torch.no_grad():
            self.master.copy_(state["master"])
        device = self.master.device
        adam = {name: state[name].to(device) for name in ("exp_avg", "exp_avg_sq")}
        adam["step"] = state["adam_step"].reshape(()).to(device)
        if state["adam_step"].item() > 0:
            self.optimizer.state[self.master] = adam
        self.refresh()
