"""MeasureVAE: a measure of 24 symbols to a code of 32 numbers and back.

Pati, Lerch & Hadjeres, "Learning to Traverse Latent Spaces for Musical Score Inpainting" (ISMIR 2019), as
used in Pati & Lerch 2020, section 4.2. The encoder is a bidirectional GRU; the decoder works on two levels:
a "beat" GRU makes four states from the code, and from each of them a "tick" GRU writes six symbols.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from arvae import losses

BEATS, TICKS = 4, 6  # of a measure, of a beat


class MeasureVAE(nn.Module):
    """The variational auto-encoder of bach and folk.

    Args:
        vocabulary_size: number of symbols V.
        latent_dim: numbers of a code, d.
        embedding: numbers a symbol becomes, E.
        hidden: units H of every GRU layer, a direction.
        layers: layers L of every GRU.
        dense: units of the linear layers before mean and log-std.
        dropout: share of units dropped between GRU layers of the encoder while training.
        teacher_forcing: share of the training batches in which the decoder is given the true symbol before.

    `forced`: whether the next batches are teacher-forced, where that is decided outside (by the training
    engine, which must not wait for a GPU's answer); None: drawn, from `generator` (None: torch's own).
    """

    kind = "music"
    attribute_regularization = staticmethod(losses.attribute_regularization)  # arvae.fast has a twin of it

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
        self.hidden, self.layers, self.teacher_forcing = hidden, layers, teacher_forcing
        self.generator: torch.Generator | None = None
        self.forced: bool | None = None
        # encoder
        self.embed_in = nn.Embedding(vocabulary_size, embedding)
        dropout = dropout if layers > 1 else 0.0  # it stands between layers
        self.encoder = nn.GRU(embedding, hidden, layers, bidirectional=True, dropout=dropout)
        states = 2 * layers * hidden
        self.mean = nn.Sequential(nn.Linear(states, dense), nn.SELU(), nn.Linear(dense, latent_dim))
        self.log_std = nn.Sequential(nn.Linear(states, dense), nn.SELU(), nn.Linear(dense, latent_dim))
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
        """Symbols (n, 24) int64 -> mean (n, d) and logarithm of the standard deviation (n, d)."""
        _, last = self.encoder(
            self.embed_in(x.t())
        )  # (2 L, n, H): every layer's last states, both directions
        states = last.transpose(0, 1).flatten(1)  # (n, 2 L H)
        return self.mean(states), self.log_std(states)

    def decode(self, z: Tensor, tokens: Tensor | None = None, forced: bool | None = None) -> Tensor:
        """Codes (n, d) -> logits (n, 24, V), not negative.

        tokens: (n, 24) the true symbols. While training, a share `teacher_forcing` of the calls feeds them to
        the decoder; all other calls, and every call in eval mode, feed it the symbol it found likeliest.
        forced: whether tokens are fed, if that is not to be left to the rule.
        """
        if forced is None:
            forced = self.training and tokens is not None and self.coin()
        before = self.first_symbol.expand(len(z), -1)  # (n, E)
        logits: list[Tensor] = []
        for beat in self.beats(z):  # (n, H)
            state = self._states(self.tick_start(beat))  # (L, n, H)
            constant = F.selu(self.tick_input(beat))  # (n, H)
            for _ in range(TICKS):
                out, state = self.tick(torch.cat([before, constant], 1)[None], state)  # (1, n, H), (L, n, H)
                logits.append(F.relu(self.logits(out[0])))  # (n, V)
                symbol = tokens[:, len(logits) - 1] if forced else logits[-1].argmax(1)
                before = self.embed_out(symbol)
        return torch.stack(logits, 1)

    def beats(self, z: Tensor) -> Tensor:
        """Codes (n, d) -> outputs of the beat level (4, n, H)."""
        constant = self.beat_input.expand(BEATS, len(z), 1)
        return self.beat(constant, self._states(self.beat_start(z)))[0]

    def _states(self, x: Tensor) -> Tensor:
        """What a linear layer made, (n, L H) -> a GRU's first states (L, n, H)."""
        return F.selu(x).unflatten(1, (self.layers, self.hidden)).transpose(0, 1).contiguous()

    def coin(self) -> bool:
        """Whether this batch is teacher-forced: as decided, or else drawn."""
        if self.forced is not None:
            return self.forced
        device = None if self.generator is None else self.generator.device
        return torch.rand((), generator=self.generator, device=device).item() < self.teacher_forcing
