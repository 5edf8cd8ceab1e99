"""Bars of a tune in ABC written anew; all else stays, character by character."""

import re
from collections.abc import Mapping, Sequence

from arvae.music import abc
from arvae.music.abc_text import Token, syllables
from arvae.music.keys import STEPS, Key
from arvae.music.notation import BEAT, per_minute
from arvae.music.rewriting import Pace, Rewritten, UnkeptError, moved
from arvae.music.score import JUMP
from arvae.music.write_abc import bar_text

_NAVIGATION = re.compile(rf"{JUMP.pattern}|segno|coda|fine", re.IGNORECASE)

_TEMPO = re.compile(r"(?m)((?:^|\[)Q:[^\]%\n]*?=\s*)(\d+(?:\.\d+)?)")


def patch(tune: str, place: int, bars: Mapping[int, Rewritten], pace: Pace) -> str:
    """The tune with these bars of its part number `place` written anew. UnkeptError where that cannot be."""
    sources = abc.bars(tune, place)
    edits: dict[tuple[int, int], str] = {}
    for index, bar in bars.items():
        tokens = [token for token in sources[index] if token.kind not in ("bar", "ending", "named", "field")]
        notes = [at for at, token in enumerate(tokens) if token.kind in ("note", "rest", "chord")]
        inside = tokens[notes[0] : notes[-1] + 1] if notes else []
        if not notes or any((token.unit, token.key) != (inside[0].unit, inside[0].key) for token in inside):
            raise UnkeptError("a bar changes its key or its unit, or is one of several in a rest")
        first, begin = inside[0], sources[index][0].now
        words = [
            (bar.start + int((token.now - begin) * BEAT), _beside_notes(token).strip()) for token in inside
        ]
        glyphs = moved(bar.glyphs, -first.transpose)
        key = Key(tuple(first.key.get(step, 0) for step in STEPS))
        for token in tokens:
            edits[token.span] = "" if token in inside else _beside_notes(token)
        edits[first.span] = bar_text(glyphs, key, first.unit, words)
        if index and index - 1 not in bars:
            _tie_abc(sources[index - 1], glyphs[0].tied_before, edits)
    _sing(tune, sources, bars, edits)
    for (start, end), text in sorted(edits.items(), reverse=True):
        tune = tune[:start] + text + tune[end:]
    if pace and pace[1]:
        by = pace[0] / pace[1]
        return _TEMPO.sub(lambda found: found[1] + per_minute(float(found[2]) * by), tune)
    return re.sub(r"(?m)^(?=K:)", f"Q:1/4={per_minute(pace[0])}\n", tune, count=1) if pace else tune


def _beside_notes(token: Token) -> str:
    """What of a token is no note's own: chord symbols, words, !D.S.! and its like, segno (S), coda (O)."""
    text = token.match[0]
    if text[0] in '"!+':
        return text if text[0] == '"' or _NAVIGATION.search(text) else ""
    return "" if token.kind else re.sub(r"[^SO\s]", "", text)


def _sing(
    tune: str,
    sources: Sequence[Sequence[Token]],
    bars: Mapping[int, Rewritten],
    edits: dict[tuple[int, int], str],
) -> None:
    """Give the notes of rewritten bars the syllables of those bars, in order, as far as there are notes."""
    lines: dict[int, dict[int, int]] = {}  # where a line of notes starts -> its bars -> their notes
    for index, tokens in enumerate(sources):
        for token in tokens:
            if token.kind in ("note", "chord"):
                own = lines.setdefault(token.line, {})
                own[index] = own.get(index, 0) + 1
    for at, counts in lines.items():
        below = tune.find("\n", at) + 1 or len(tune)
        while tune.startswith("w:", below):
            end = tune.find("\n", below) % (len(tune) + 1)
            sung = []
            for index, own in zip(counts, syllables(tune[below + 2 : end], counts.values()), strict=True):
                if index in bars:
                    notes = [glyph for glyph in bars[index].glyphs if glyph.symbol >= 0]
                    own = [slot for slot in own if slot not in "*_"]
                    own = ["_" if note.tied_before else own.pop(0) if own else "*" for note in notes]
                sung.append(" ".join(own))
            if not bars.keys().isdisjoint(counts):
                edits[below + 2, end] = " " + " | ".join(sung)
            below = end + 1


def _tie_abc(tokens: Sequence[Token], wanted: bool, edits: dict[tuple[int, int], str]) -> None:
    """Tie the last note of a bar that stays as it is to the next one, or no longer."""
    last = next((t for t in reversed(tokens) if t.kind in ("note", "rest", "chord", "tie")), None)
    if last is not None and last.kind == "tie" and not wanted:
        edits[last.span] = ""
    elif last is not None and last.kind != "tie" and wanted:
        edits[last.span[1], last.span[1]] = "-"
