"""MeasureVAE: a measure of 24 symbols to a code of 32 numbers and back.

Pati, Lerch & Hadjeres, "Learning to Traverse Latent Spaces for Musical Score Inpainting" (ISMIR 2019), as
used in Pati & Lerch 2020, section 4.2. The encoder is a bidirectional GRU; the decoder works on two levels:
a "beat" GRU makes four states from the code, and from each of them a "tick" GRU writes six symbols.

Parameters lie in ordinary `nn.GRU` and `nn.Linear` modules. The recurrent layers are run by
`arvae.fast.recurrent`, which computes the same several times faster.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from arvae.fast import recurrent

BEATS, TICKS = 4, 6  # of a measure, of a beat
_ROWS = 512  # rows at a time where no gradients are wanted: keeps memory small, and in the cache


class MeasureVAE(nn.Module):
    """The variational auto-encoder of bach and folk.

    Args:
        vocabulary_size: number of symbols V.
        latent_dim: numbers of a code, d.
        embedding: numbers a symbol becomes.
        hidden: units H of every GRU layer, a direction.
        layers: layers of every GRU.
        dense: units of the linear layers before mean and log-std.
        dropout: share of units dropped between GRU layers of the encoder while training.
        teacher_forcing: share of the training batches in which the decoder is given the true symbol before.

    `generator`: where dropout and teacher forcing draw their random numbers; set before training. `forced`:
    whether the next batches are teacher-forced, where that is decided outside (by the training engine, which
    must not wait for a GPU's answer); None: `coin` is thrown.
    """

    kind = "music"

    def __init__(
        self,
        vocabulary_size: int,
        latent_dim: int = 32,
        embedding: int = 10,
        hidden: int = 128,
        layers: int = 2,
        dense: int = 256,
        dropout: float = 0.5,
        teacher_forcing: float = 0.5,
    ) -> None:
        super().__init__()
        self.vocabulary_size, self.latent_dim = vocabulary_size, latent_dim
        self.hidden, self.layers = hidden, layers
        self.dropout, self.teacher_forcing = dropout, teacher_forcing
        self.generator: torch.Generator | None = None
        self.forced: bool | None = None
        # encoder
        self.embed_in = nn.Embedding(vocabulary_size, embedding)
        self.encoder = nn.GRU(embedding, hidden, layers, bidirectional=True)
        self.mean = nn.Sequential(
            nn.Linear(2 * layers * hidden, dense), nn.SELU(), nn.Linear(dense, latent_dim)
        )
        self.log_std = nn.Sequential(
            nn.Linear(2 * layers * hidden, dense), nn.SELU(), nn.Linear(dense, latent_dim)
        )
        # decoder
        self.beat_start = nn.Linear(latent_dim, layers * hidden)
        self.beat_input = nn.Parameter(torch.zeros(1))  # the learned constant every beat is fed
        self.beat = nn.GRU(1, hidden, layers)
        self.tick_start = nn.Linear(hidden, layers * hidden)
        self.tick_input = nn.Linear(hidden, hidden)
        self.embed_out = nn.Embedding(vocabulary_size, embedding)
        self.first_symbol = nn.Parameter(torch.zeros(embedding))  # stands for the symbol before the first
        self.tick = nn.GRU(embedding + hidden, hidden, layers)
        self.logits = nn.Linear(hidden, vocabulary_size)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Symbols (n, 24) int64 -> mean (n, d) and logarithm of the standard deviation (n, d), float32."""
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
            mask = None if final else self._mask((1, steps, n, 2 * self.hidden), self.dropout)
            x, last = recurrent.gru(x, h0, weights, mask)  # (1, steps, n, 2 H), (2, n, H)
            lasts.append(last)
        states = torch.cat(lasts).transpose(0, 1).flatten(1)  # (n, 2 layers H)
        return _float(self.mean(states)), _float(self.log_std(states))

    def decode(self, z: Tensor, tokens: Tensor | None = None, forced: bool | None = None) -> Tensor:
        """Codes (n, d) -> logits (n, 24, V), float32, not negative.

        tokens: (n, 24) the true symbols. While training, a share `teacher_forcing` of the calls feeds them to
        the decoder; all other calls, and every call in eval mode, feed it the symbol it found likeliest.
        forced: whether tokens are fed, if that is not to be left to the rule.
        """
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
                tokens, tapes = self._sing(starts, feeds)
        first = torch.full_like(tokens[:, :1], self.vocabulary_size)  # the table's row of the first symbol
        before = torch.cat([first, tokens[:, :-1]], 1)
        x = before.t().contiguous().view(BEATS, TICKS, n)
        for layer in range(self.layers):
            x, _ = recurrent.gru(x, starts[layer], (feeds[layer],), tape=tapes[layer])
        logits = F.relu(self.logits(x))  # (beats, ticks, n, V)
        return _float(logits.flatten(0, 1).transpose(0, 1))

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

    def _sing(
        self, starts: list[Tensor], feeds: list[recurrent.Weights]
    ) -> tuple[Tensor, list[recurrent.Tape]]:
        """Write a measure symbol by symbol: the symbols (n, 24), and what every layer's steps left behind.

        No gradient passes through the choice of a symbol, so the backward pass needs only the tapes, and can
        treat the four beats as independent sequences.
        """
        n, like = starts[0].shape[1], starts[0]
        tapes = [recurrent.Tape.empty(like, BEATS, TICKS, n, self.hidden) for _ in feeds]
        steppers = [recurrent.Stepper(w_hh, b_n) for _, w_hh, _, b_n in feeds]
        symbol = torch.full((n,), self.vocabulary_size, device=like.device)
        symbols = []
        for beat in range(BEATS):
            for layer, (w_ih, _, bias, _) in enumerate(feeds):
                feed = recurrent.Feed(w_ih, bias if layer else bias[beat], symbols=layer == 0)
                steppers[layer].begin(tapes[layer], beat, starts[layer][beat], feed)
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
        return recurrent.keep_mask(shape, p, self.logits.weight, self._random())

    def coin(self) -> bool:
        """Whether this batch is teacher-forced: as decided, or else drawn."""
        if self.forced is not None:
            return self.forced
        if self.teacher_forcing in (0, 1):
            return bool(self.teacher_forcing)
        generator = self._random()
        return torch.rand((), generator=generator, device=generator.device).item() < self.teacher_forcing

    def _random(self) -> torch.Generator:
        if self.generator is None:
            raise RuntimeError(
                "this model draws random numbers while training: give it a generator (models.set_generator) "
                "or call eval()"
            )
        return self.generator


def _direction(gru: nn.GRU, layer: int, suffix: str = "") -> recurrent.Weights:
    """One direction of one layer, as `recurrent.gru` wants it: the two biases of r and z are one."""
    w_ih, w_hh, b_ih, b_hh = (
        getattr(gru, f"{name}_l{layer}{suffix}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    two = 2 * gru.hidden_size
    return w_ih, w_hh, torch.cat([b_ih[:two] + b_hh[:two], b_ih[two:]]), b_hh[two:]


def _float(x: Tensor) -> Tensor:
    """float32 at least."""
    return x.to(recurrent.state_type(x.dtype))
