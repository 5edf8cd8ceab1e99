"""MeasureVAE run by `recurrent`: the same network, its layers a whole sequence at a time.

The embedding of a symbol times a layer's input weights is one table of all symbols; the four beats are four
sequences side by side; and where the decoder chooses its own symbols, it writes the measure without autograd
and goes back through what its steps left behind.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from arvae.fast import layers, recurrent
from arvae.fast.regularization import attribute_regularization
from arvae.losses import at_least_float32
from arvae.models import measure
from arvae.models.measure import BEATS, TICKS

_ROWS = 512  # rows at a time where no gradients are wanted: keeps memory small, and in the cache


class MeasureVAE(measure.MeasureVAE):
    """Twin of `models.measure.MeasureVAE`: gives float32 whatever its weights are."""

    attribute_regularization = staticmethod(attribute_regularization)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Symbols (n, 24) int64 -> mean, log-std (n, d), float32."""
        if not torch.is_grad_enabled() and len(x) > _ROWS:
            parts = [self.encode(part) for part in x.split(_ROWS)]
            return torch.cat([mean for mean, _ in parts]), torch.cat([log_std for _, log_std in parts])
        n, steps = x.shape
        x = x.t()[None]  # (1, steps, n)
        h0 = self.embed_in.weight.new_zeros(2, n, self.hidden)
        lasts = []
        for layer in range(self.layers):
            weights = tuple(_direction(self.encoder, layer, suffix) for suffix in ("", "_reverse"))
            if layer == 0:  # the embedding of a symbol times the input weights: one table of all symbols
                weights = tuple((self.embed_in.weight @ w_ih.t(), *rest) for w_ih, *rest in weights)
            final = layer == self.layers - 1
            mask = None if final else self._mask((1, steps, n, 2 * self.hidden), self.encoder.dropout)
            x, last = recurrent.gru(x, h0, weights, mask)  # (1, steps, n, 2 H), (2, n, H)
            lasts.append(last)
        states = torch.cat(lasts).transpose(0, 1).flatten(1)  # (n, 2 layers H)
        return at_least_float32(self.mean(states)), at_least_float32(self.log_std(states))

    def decode(self, z: Tensor, tokens: Tensor | None = None, forced: bool | None = None) -> Tensor:
        """Codes (n, d) -> logits (n, 24, V), float32, not negative."""
        if forced is None:
            forced = self.training and tokens is not None and self.coin()
        if not torch.is_grad_enabled() and len(z) > _ROWS:
            parts = zip(z.split(_ROWS), tokens.split(_ROWS) if forced else [None] * len(z), strict=False)
            return torch.cat([self.decode(part, some, forced) for part, some in parts])
        n = len(z)
        starts, feeds = self._beats(z)
        tapes: list[recurrent.Tape | None] = [None] * self.layers
        if not forced:
            with torch.no_grad():
                tokens, tapes = self._write(starts, feeds)
        first = torch.full_like(tokens[:, :1], self.vocabulary_size)  # the table's row of the first symbol
        before = torch.cat([first, tokens[:, :-1]], 1)
        x = before.t().contiguous().view(BEATS, TICKS, n)
        for layer in range(self.layers):
            x, _ = recurrent.gru(x, starts[layer], (feeds[layer],), tape=tapes[layer])
        logits = F.relu(self.logits(x))  # (beats, ticks, n, V)
        return at_least_float32(logits.flatten(0, 1).transpose(0, 1))

    def beats(self, z: Tensor) -> Tensor:
        """Codes (n, d) -> outputs of the beat level (4, n, H)."""
        n = len(z)
        starts = F.selu(self.beat_start(z.to(self.beat_start.weight.dtype))).view(n, self.layers, self.hidden)
        x = torch.zeros(1, BEATS, n, dtype=torch.int64, device=z.device)
        for layer in range(self.layers):
            weights = _direction(self.beat, layer)
            if layer == 0:  # a constant input: a table with one row
                weights = (self.beat_input * weights[0].t(), *weights[1:])
            x, _ = recurrent.gru(x, starts[None, :, layer], (weights,))
        return x[0]

    def _beats(self, z: Tensor) -> tuple[list[Tensor], list[recurrent.Weights]]:
        """What the tick level starts from: for each layer, the first states (4, n, H) and the weights."""
        beats = self.beats(z)
        starts = F.selu(self.tick_start(beats)).unflatten(-1, (self.layers, self.hidden))
        feeds = [_direction(self.tick, layer) for layer in range(self.layers)]
        w_ih, w_hh, bias, b_n = feeds[0]
        size = self.embed_out.embedding_dim
        table = torch.cat([self.embed_out.weight, self.first_symbol[None]]) @ w_ih[:, :size].t()
        bias = F.linear(F.selu(self.tick_input(beats)), w_ih[:, size:], bias)  # (4, n, 3 H)
        feeds[0] = (table, w_hh, bias, b_n)
        return [starts[:, :, layer] for layer in range(self.layers)], feeds

    def _write(
        self, starts: list[Tensor], feeds: list[recurrent.Weights]
    ) -> tuple[Tensor, list[recurrent.Tape]]:
        """Write a measure symbol by symbol: the symbols (n, 24), and what every layer's steps left behind.

        No gradient passes through the choice of a symbol, so the backward pass needs only the tapes, and can
        treat the four beats as independent sequences.
        """
        n, like = starts[0].shape[1], starts[0]
        tapes = [recurrent.Tape.empty(like, BEATS, TICKS, n, self.hidden) for _ in feeds]
        steppers = [
            recurrent.Stepper(w_ih, w_hh, b_n, symbols=layer == 0)
            for layer, (w_ih, w_hh, _, b_n) in enumerate(feeds)
        ]
        symbol = torch.full((n,), self.vocabulary_size, device=like.device)
        symbols = []
        for beat in range(BEATS):
            for layer, (_, _, bias, _) in enumerate(feeds):
                own = bias if layer else bias[beat]
                steppers[layer].begin(tapes[layer], beat, starts[layer][beat], own)
            for tick in range(TICKS):
                x = symbol
                for stepper in steppers:
                    x = stepper.step(x, tick, tick, tick + 1)
                symbol = F.relu_(self.logits(x)).argmax(1)
                symbols.append(symbol)
        return torch.stack(symbols, 1), tapes

    def _mask(self, shape: tuple[int, ...], p: float) -> Tensor | None:
        if not self.training or p == 0:
            return None
        return recurrent.keep_mask(shape, p, self.logits.weight, layers.generator_of(self))


def _direction(gru: nn.GRU, layer: int, suffix: str = "") -> recurrent.Weights:
    """One direction of one layer, as `recurrent.gru` wants it: the two biases of r and z are one."""
    w_ih, w_hh, b_ih, b_hh = (
        getattr(gru, f"{name}_l{layer}{suffix}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    two = 2 * gru.hidden_size
    return w_ih, w_hh, torch.cat([b_ih[:two] + b_hh[:two], b_ih[two:]]), b_hh[two:]


TWINS = {measure.MeasureVAE: MeasureVAE}
