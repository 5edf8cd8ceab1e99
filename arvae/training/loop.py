"""The training of one run, from its first step or its last checkpoint to its weights."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from arvae import fast, losses, models
from arvae.datasets.contract import Dataset
from arvae.params import Schedule, Setup
from arvae.training import checkpoints
from arvae.training.batches import Order, Source, some
from arvae.training.graphs import Compute, CudaGraph, Recorded
from arvae.training.optimizer import Adam
from arvae.training.precision import Plan
from arvae.training.runs import Run, describe

ROWS = 24  # rows of the history at least, where there are as many steps
VALIDATION = 512  # examples looked at for each row
SMALLER = "try a smaller peak or learning_rate, or a clip, in params.yaml"
Report = Callable[[dict[str, Any]], None]


class DivergedError(ArithmeticError):
    """The loss is no longer a number, or beyond all bounds."""


def learning_rate(step: int, steps: int, schedule: Schedule, base: float) -> float:
    """Adam's rate at a step: constant, or one cycle.

    A cycle goes up by a cosine during `warmup`, stays at `peak` during `hold`, then goes down to zero.
    """
    if schedule.schedule == "constant":
        return base
    share = (step + 0.5) / steps
    rising = share < schedule.warmup
    part = share / schedule.warmup if rising else (1 - share) / (1 - schedule.warmup - schedule.hold)
    part = min(part, 1.0)
    low = schedule.peak / 25 if rising else 0.0
    return low + (schedule.peak - low) * 0.5 * (1 - math.cos(math.pi * part))


class Trainer:
    """A run in training: model, optimizer, generators, history; `go` trains it to its end.

    dataset: the prepared data; plan: device and precision; folder: where its checkpoints are.
    """

    def __init__(self, setup: Setup, run: Run, dataset: Dataset, plan: Plan, folder: Path) -> None:
        self.setup = setup.replace(**run.overrides)
        self.run, self.plan, self.folder = run, plan, folder
        self.train = Source(dataset, dataset.train, setup, plan.device)
        self.validation = Source(dataset, dataset.validation, setup, plan.device)
        self.order = Order(len(self.train), setup.batch_size, run.seed, plan.device)
        self.steps = max(1, round(setup.schedule.epochs * self.order.per_epoch))  # epochs may be a fraction
        self.every = max(1, self.steps // max(ROWS, min(200, round(setup.schedule.epochs))))
        seeds = np.random.SeedSequence([run.seed, 0]).generate_state(2, np.uint64) >> np.uint64(1)
        self.build = {
            "vocabulary_size": None if dataset.vocabulary is None else dataset.vocabulary.size,
            "image_size": int(dataset.train.x.shape[-1]) if dataset.kind == "images" else None,
        }
        initial = torch.Generator().manual_seed(int(seeds[0]))
        self.model = models.build(self.setup, generator=initial, **self.build)
        if hasattr(self.model, "fit_attributes"):
            self.model.fit_attributes(self.train.attributes.cpu())
        rate = self.setup.hyperparameters.learning_rate
        if plan.fast:
            fast.use(self.model)
            self.optimizer = fast.FlatAdam(self.model, rate, plan.device, plan.dtype, plan.graphs)
        else:
            self.optimizer = Adam(self.model, rate, plan.device)
        self.generator = torch.Generator(plan.device).manual_seed(int(seeds[1]))
        models.set_generator(self.model, self.generator)
        self.loss = models.objective(self.setup.hyperparameters.objective).loss
        self.compute: Compute = self._compute
        if plan.graphs:
            self.compute = Recorded(self._compute, CudaGraph(self.generator))
        self.step, self.seconds = 0, 0.0
        self.rows: list[dict[str, float]] = []
        self.sums: dict[str, Tensor] = {}
        self.summed = 0
        self.worst = torch.zeros((), device=plan.device)  # the largest loss since the last row, or NaN

    # ---- state

    def save(self) -> None:
        """Write all that decides the rest of the run."""
        names = sorted(self.sums)
        sums = torch.stack([self.sums[name] for name in names]) if names else torch.zeros(0)
        tensors = self.optimizer.state() | {"generator": self.generator.get_state(), "sums": sums}
        tensors["worst"] = self.worst
        record = {"step": self.step, "seconds": self.seconds, "rows": self.rows, "names": names}
        checkpoints.save_checkpoint(self.folder, tensors, record | {"summed": self.summed})

    def resume(self, log: checkpoints.Log) -> None:
        """Go back to the last checkpoint, if there is one."""
        found = checkpoints.load_checkpoint(self.folder, log)
        if found is None:
            return
        tensors, record = found
        self.optimizer.restore(tensors)
        self.generator.set_state(tensors["generator"])
        self.worst = tensors["worst"].to(self.plan.device)
        sums = tensors["sums"].to(self.plan.device)
        self.sums = {name: sums[index].clone() for index, name in enumerate(record["names"])}
        self.step, self.seconds, self.rows = record["step"], record["seconds"], record["rows"]
        self.summed = record["summed"]
        log(f"going on from step {self.step:,} of {self.steps:,}")

    # ---- the loop

    def go(self, report: Report, log: checkpoints.Log, checkpoint_seconds: float) -> None:
        """Train to the last step; report() is given a small dict about once a second.

        Raises:
            DivergedError: when the loss becomes NaN, infinite or a thousand times what it was at first.
        """
        began = saved = told = time.monotonic()
        first, spent = self.step, self.seconds
        self.model.train()
        while self.step < self.steps:
            terms = self._one_step()
            self.seconds = spent + time.monotonic() - began
            if self.step % self.every == 0 or self.step == self.steps:
                self._row()
            now = time.monotonic()
            self.seconds = spent + now - began
            if now - told >= 1.0 or self.step == self.steps:
                told = now
                pace = (self.step - first) / max(now - began, 1e-9)
                report(
                    {
                        "step": self.step,
                        "steps": self.steps,
                        "loss": terms["loss"].item(),
                        "rate": pace * self.order.batch_size,
                        "left": (self.steps - self.step) / max(pace, 1e-9),
                    }
                )
            if now - saved >= checkpoint_seconds and self.step < self.steps:
                self._check()
                try:
                    self.save()
                except OSError as error:
                    log(f"could not save a checkpoint ({error}): going on without; free some space")
                saved = time.monotonic()

    def _one_step(self) -> dict[str, Tensor]:
        self.optimizer.set_rate(self._rate(self.step))
        forced = None
        if hasattr(self.model, "forced"):  # decided here: a draw on a GPU would have to be waited for
            draw = np.random.default_rng([self.run.seed, 2, self.step]).random()
            self.model.forced = forced = bool(draw < self.model.teacher_forcing)
        with contextlib.nullcontext() if self.plan.fast else self._own_random_numbers():
            terms = self.compute(self.order.batch(self.step), forced)
        self.step += 1
        self.summed += 1
        for name, term in terms.items():
            self.sums[name] = self.sums[name] + term if name in self.sums else term.clone()
        self.worst = torch.maximum(self.worst, terms["loss"].float().abs())
        if self.plan.device == "cpu":  # a GPU is asked once a row: every question is a wait
            self._check()
        return terms

    @contextlib.contextmanager
    def _own_random_numbers(self) -> Iterator[None]:
        """torch's own dropout draws from the global generator: seeded by run and step, then put back."""
        devices = [torch.cuda.current_device()] if self.plan.device == "cuda" else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(int(np.random.SeedSequence([self.run.seed, 3, self.step]).generate_state(1)[0]))
            yield

    def _rate(self, step: int) -> float:
        return learning_rate(step, self.steps, self.setup.schedule, self.setup.hyperparameters.learning_rate)

    def _compute(self, index: Tensor, forced: bool | None) -> dict[str, Tensor]:
        """The step on the examples numbered `index`: what the device does, and nothing that waits for it."""
        x, attributes = self.train.take(index)
        self.optimizer.zero_grad()
        terms = self.loss(self.model, x, attributes, self.setup, self.generator)
        terms["loss"].backward()
        self.optimizer.step(self.setup.hyperparameters.clip)
        return {name: term.detach() for name, term in terms.items()}

    def _check(self) -> None:
        loss = self.worst.item()
        if math.isfinite(loss) and (not self.rows or loss < 1000 * (abs(self.rows[0]["loss"]) + 1)):
            return
        rate = self._rate(self.step - 1)
        raise DivergedError(
            f"diverged: the loss is {loss:g} at step {self.step:,} of {self.steps:,} "
            f"(learning rate {rate:.2g}): {SMALLER}"
        )

    def _row(self) -> None:
        means = {name: self.sums[name].item() / self.summed for name in self.sums}
        self._check()
        found = self._validate()
        bad = [name for name, value in found.items() if not math.isfinite(value)]
        if bad:
            raise DivergedError(
                f"diverged: {bad[0]} of the validation examples is {found[bad[0]]:g} at step {self.step:,} "
                f"of {self.steps:,}: {SMALLER}"
            )
        self.rows.append(
            {
                "step": self.step,
                "epoch": self.step / self.order.per_epoch,
                "seconds": round(self.seconds, 2),
                **means,
                **{f"validation_{name}": value for name, value in found.items()},
                "learning_rate": self._rate(self.step - 1),
                "examples_per_second": round(self.step * self.order.batch_size / max(self.seconds, 1e-9), 1),
            }
        )
        self.sums, self.summed, self.worst = {}, 0, torch.zeros_like(self.worst)

    @torch.no_grad()
    def _validate(self) -> dict[str, float]:
        """Reconstruction (from the mean code), KL and accuracy on some validation examples."""
        self.model.eval()
        x, attributes = self.validation.take(some(len(self.validation), VALIDATION))
        mean, log_std = self.model.encode(x)
        z = self.model.complete(mean, attributes) if hasattr(self.model, "complete") else mean
        logits = self.model.decode(z)
        if self.model.kind == "images":
            reconstruction = losses.reconstruction_images(logits, x)
            accuracy = ((logits > 0) == (x > 0.5)).float().mean()
        else:
            reconstruction = losses.reconstruction_music(logits, x)
            accuracy = (logits.argmax(-1) == x).float().mean()
        regularization = losses.attribute_regularization(
            mean[:, list(self.setup.dimensions)], attributes, self.setup.hyperparameters.delta
        )
        kl = losses.kl_divergence(mean, log_std)
        if getattr(self.model, "deterministic", False):
            kl = torch.zeros_like(kl)
        self.model.train()
        values = {"reconstruction": reconstruction, "kl": kl, "regularization": regularization}
        return {name: value.item() for name, value in (values | {"accuracy": accuracy}).items()}

    def history(self) -> dict[str, Any]:
        """How far the run has come: rows, steps, seconds."""
        return {"rows": self.rows, "steps": self.step, "seconds": self.seconds}

    def record(self) -> dict[str, Any]:
        """What is stored beside the weights: only what decides them, so that equal runs give equal bytes."""
        return {
            "setup": describe(self.setup, self.run),
            "build": self.build,
            "steps": self.steps,
            "precision": self.plan.precision,
            "device": self.plan.device,
            "fast": self.plan.fast,
        }
