"""Turn the controls of a trained model on a melody, a digit or a shape.

    python -m arvae.edit tune.abc rhythmic_complexity=+1.5 -o edited.musicxml
    python -m arvae.edit tune.mid note_density=0.5 3-6:contour=-1 --model bach -o edited.mid
    python -m arvae.edit tune.musicxml                 # no wish: how faithfully each measure comes back
    python -m arvae.edit four.png slant=+1 -o slanted.png

Wishes: NAME=+1.5 or NAME=-1.5 turns a control by standard deviations; NAME=0.5 searches the control for a
value of the attribute (NAME==-0.3 for a negative one); MEASURES:NAME=... does either in some measures only.
Where a turn does not move the attribute in the asked direction, the nearest place that does is searched for.
"""

import argparse
import sys
from pathlib import Path

import torch

from arvae.datasets import DataError
from arvae.edit import melody, picture, report
from arvae.edit.faults import EditError
from arvae.edit.search import edit
from arvae.edit.wishes import parse, places
from arvae.files import write_json
from arvae.music.files import ENDINGS, WRITTEN
from arvae.params import ParamsError
from arvae.trained import ModelError, TrainedModel


def main(arguments: list[str] | None = None) -> int:
    """The command; exit status 1, with the reason and the remedy, where something cannot be done."""
    given = _parser().parse_intermixed_args(arguments)
    torch.set_num_threads(1)  # small batches: more threads only wait for each other
    try:
        is_score = given.input.suffix.lower() in ENDINGS
        name = given.model or ("folk" if is_score else picture.model_for(given.input))
        trained = TrainedModel.load(name, given.run)
        music = trained.setup.kind == "music"
        if music != is_score:
            kind = f"melodies ({', '.join(ENDINGS)})" if music else "pictures"
            name = trained.setup.name
            raise EditError(f"{name} edits {kind}, {given.input.name} is none: choose another --model")
        endings = WRITTEN if music else (".png",)
        if given.output is not None and given.output.suffix.lower() not in endings:
            kind = "melodies" if music else "pictures"
            raise EditError(f"{given.output.name}: {kind} are written as {' or '.join(endings)}")
        _run(given, trained)
    except (EditError, ModelError, ParamsError, DataError, OSError) as error:
        print(f"arvae.edit: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m arvae.edit", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("input", type=Path, help="a melody (MIDI, MusicXML, ABC) or a picture")
    parser.add_argument("wishes", nargs="*", metavar="WISH", help="NAME=+1.5, NAME=0.5, 3-6:NAME=-1")
    parser.add_argument("-o", "--output", type=Path, help="the result: .musicxml or .mid; .png for pictures")
    parser.add_argument("--model", help="a data set (its AR-VAE), a setup (folk-betavae), or a folder")
    parser.add_argument("--run", help="which training run, e.g. seed1 (default: the first)")
    parser.add_argument("--exact", action="store_true", help="turn exactly as asked, search nothing")
    parser.add_argument("--json", type=Path, help="write all numbers to this file")
    music = parser.add_argument_group("melodies")
    music.add_argument("--measures", help="edit only these, e.g. 3-6 or 1,3,5-; the others stay as they are")
    music.add_argument("--part", help="the part of a score with several, by number or name")
    music.add_argument("--tune", help="the tune of an ABC file with several, by its X: number")
    music.add_argument("--transpose", action="store_true", help="move it into the model's range (and back)")
    music.add_argument("--monophonic", action="store_true", help="keep the highest note where several sound")
    music.add_argument("--quantize", action="store_true", help="move notes to sixteenths and triplets")
    music.add_argument("--in-key", action="store_true", help="choose only notes of the tune's scale")
    music.add_argument("--key", help="its key, as ABC writes it (Em, D mix); default: the file's")
    music.add_argument("--tempo", type=float, help="quarter notes a minute (default: as in the file, or 100)")
    images = parser.add_argument_group("pictures")
    images.add_argument("--invert", action="store_true", help="the picture is dark on light")
    images.add_argument("--enlarge", type=int, default=1, help="write every pixel this many times as large")
    return parser


def _run(given: argparse.Namespace, trained: TrainedModel) -> None:
    """Read, edit, say what came of it, write."""
    count = only = scale = None
    if trained.setup.kind == "music":
        names = ("part", "tune", "monophonic", "transpose", "quantize", "key")
        options = {name: getattr(given, name) for name in names}
        tune = melody.read(given.input, trained.vocabulary, **options)
        examples, adapted, count = tune.measures, tune.adapted, len(tune.measures)
        only = places(given.measures, count) if given.measures else None
        if given.in_key:
            scale, adapted = tune.scale, (*adapted, tune.in_key())
    else:
        examples, adapted = picture.read(given.input, trained.setup.dataset, given.invert)
    wishes = parse(given.wishes, trained, count)
    edited = edit(trained, examples, wishes, only, search=not given.exact, scale=scale)
    size = "" if count is None else f"{count} measure{'s' if count > 1 else ''}, "
    print(f"{given.input.name}: {size}model {trained.setup.name}, run {trained.run}")
    print(*report.filled([f"  {line}" for line in adapted]), report.text(edited), sep="\n")
    if given.output is not None:
        if count is None:
            written = picture.write(given.output, edited.result[0], given.enlarge)
        else:
            written = tune.save(given.output, edited.result, given.tempo)
        print(f"Written: {written}")
    elif wishes:
        print(f"Nothing written: name a file with -o ({'.png' if count is None else '.musicxml or .mid'})")
    if given.json is not None:
        write_json(given.json, report.as_json(edited))


if __name__ == "__main__":
    sys.exit(main())
