"""Training steps recorded once as CUDA graphs and replayed: a GPU is not kept waiting for Python.

The networks here are small: on a GPU most of a step is the launching of its hundreds of kernels. A graph
launches them all at once. Off unless `engine.graphs` is set in params.yaml.
"""

from collections import Counter
from collections.abc import Callable

import torch
from torch import Tensor

Terms = dict[str, Tensor]
Compute = Callable[[Tensor, bool | None], Terms]
WARM_UP = 3  # steps of a form that run as usual before it is recorded: libraries choose their kernels in them


class Recorded:
    """A `compute` whose forms, teacher-forced or not, are each recorded after a few steps, then replayed.

    compute: reads the numbers of its examples from a tensor and waits for nothing the device has to say.
    """

    def __init__(self, compute: Compute, recorder: "CudaGraph") -> None:
        self.compute, self.recorder = compute, recorder
        self.index: Tensor | None = None
        self.replays: dict[bool | None, Callable[[], Terms]] = {}
        self.seen: Counter[bool | None] = Counter()

    def __call__(self, index: Tensor, forced: bool | None) -> Terms:
        """One training step."""
        self.index = index.clone() if self.index is None else self.index.copy_(index)

        def step() -> Terms:
            return self.compute(self.index, forced)

        self.seen[forced] += 1
        if self.seen[forced] <= WARM_UP:
            return self.recorder.usually(step)
        if forced not in self.replays:
            self.replays[forced] = self.recorder.record(step)
        return self.replays[forced]()


class CudaGraph:
    """Recording on a GPU. generator: the CUDA generator that the steps draw from, which goes on as usual."""

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator
        self.stream = torch.cuda.Stream()

    def usually(self, step: Callable[[], Terms]) -> Terms:
        """On a stream of its own, as recording is."""
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            terms = step()
        torch.cuda.current_stream().wait_stream(self.stream)
        return terms

    def record(self, step: Callable[[], Terms]) -> Callable[[], Terms]:
        """One graph for the whole step."""
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self.generator)
        # Of this thread's work only: other runs may be at work in others.
        with torch.cuda.graph(graph, stream=self.stream, capture_error_mode="thread_local"):
            terms = step()

        def replay() -> Terms:
            graph.replay()
            return terms

        return replay
