"""On which device, in which precision and by which path a run is trained."""

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

import torch

from arvae.params import Engine

SAME_BITS = ("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # NVIDIA's condition for the same bits every time


@dataclasses.dataclass(frozen=True)
class Plan:
    """device: "cpu" or "cuda"; precision: "bfloat16" or "float32"; threads: of the processor, a run.

    graphs: on CUDA, steps are recorded and replayed (graphs.py). fast: with the twins of `arvae.fast`;
    without them a run is an ordinary program of torch's own modules, in float32.
    """

    device: str
    precision: str
    threads: int
    graphs: bool = False
    fast: bool = True

    @property
    def dtype(self) -> torch.dtype:
        """The torch type the network computes in."""
        return torch.bfloat16 if self.precision == "bfloat16" else torch.float32


def plan(engine: Engine) -> Plan:
    """Settle what `auto` means on this machine.

    Raises:
        ValueError: where CUDA is asked for and there is none, or the plain path in bfloat16.
    """
    cuda = torch.cuda.is_available()
    if engine.device == "cuda" and not cuda:
        raise ValueError("engine.device is cuda, but torch sees no GPU here: use auto or cpu")
    device = "cuda" if cuda and engine.device != "cpu" else "cpu"
    precision = engine.precision
    if not engine.fast:
        if precision == "bfloat16":
            raise ValueError("engine.fast is false, which trains in float32: set engine.precision to auto")
        precision = "float32"
    if precision == "auto":
        cuda = device == "cuda"
        native = torch.cuda.is_bf16_supported(including_emulation=False) if cuda else native_bfloat16()
        precision = "bfloat16" if native else "float32"
    graphs = engine.graphs and engine.fast and device == "cuda"
    return Plan(device, precision, engine.threads, graphs, engine.fast)


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
    deterministic = torch.utils.deterministic
    filled = deterministic.fill_uninitialized_memory
    strict = torch.are_deterministic_algorithms_enabled()
    warns = torch.is_deterministic_algorithms_warn_only_enabled()
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
        try:
            deterministic.fill_uninitialized_memory = False
            torch.use_deterministic_algorithms(True, warn_only=True)
            yield
        finally:
            deterministic.fill_uninitialized_memory = filled
            torch.use_deterministic_algorithms(strict, warn_only=warns)
