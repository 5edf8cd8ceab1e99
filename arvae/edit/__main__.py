"""Turn the controls of a trained model on a melody, a digit or a shape.

    python -m arvae.edit tune.abc rhythmic_complexity=+1.5 -o edited.musicxml
    python -m arvae.edit tune.mid note_density=0.5 3-6:contour=-1 --model bach -o edited.mid
    python -m arvae.edit tune.musicxml                 # no wish: how faithfully each measure comes back
    python -m arvae.edit four.png slant=+1 -o slanted.png

Wishes: NAME=+1.5 or NAME=-1.5 turns a control by standard deviations; NAME=0.5 searches the control for a value of
the attribute (NAME==-0.3 for a negative one); MEASURES:NAME=... does either in some measures only.
"""

import argparse
import sys
from pathlib import Path

import torch

from arvae.edit import melody, picture, report
from arvae.edit.faults import EditError
from arvae.edit.search import edit
from arvae.edit.wishes import parse, places
from arvae.files import write_json
from arvae.params import ParamsError
from arvae.trained import ModelError, TrainedModel

SCORES = (".mid", ".midi", ".musicxml", ".xml", ".mxl", ".abc")


def main(arguments: list[str] | None = None) -> int:
    """The command; exit status 1, with the reason and the remedy, where something cannot be done."""
    given = _parser().parse_args(arguments)
    torch.set_num_threads(1)  # small batches: more threads only wait for each other
    try:
        is_score = given.input.suffix.lower() in SCORES
        name = given.model or ("folk" if is_score else _image_model(given.input))
        trained = TrainedModel.load(name, given.run)
        if (trained.setup.kind == "music") != is_score:
            kind = "melodies (" + ", ".join(SCORES) + ")" if trained.setup.kind == "music" else "pictures"
            raise EditError(
                f"{trained.setup.name} edits {kind}, {given.input.name} is none: choose another --model"
            )
        (_edit_melody if is_score else _edit_picture)(given, trained)
    except (EditError, ModelError, ParamsError, FileNotFoundError) as error:
        print(f"arvae.edit: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m arvae.edit", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("input", type=Path, help="a melody (MIDI, MusicXML, ABC) or a picture")
    parser.add_argument("wishes", nargs="*", metavar="WISH", help="NAME=+1.5, NAME=0.5, 3-6:NAME=-1")
    parser.add_argument(
        "-o", "--output", type=Path, help="where the result goes: .musicxml or .mid, .png for pictures"
    )
    parser.add_argument(
        "--model", help="a data set (its AR-VAE), a setup (folk-betavae) or a folder with weights"
    )
    parser.add_argument("--run", help="which training run, e.g. seed1 (default: the first)")
    parser.add_argument("--json", type=Path, help="write all numbers to this file")
    music = parser.add_argument_group("melodies")
    music.add_argument("--measures", help="edit only these, e.g. 3-6 or 1,3,5-; the others stay as they are")
    music.add_argument("--part", help="the part of a score with several, by number or name")
    music.add_argument("--tune", help="the tune of an ABC file with several, by its X: number")
    music.add_argument(
        "--transpose", action="store_true", help="move the melody into the model's range (and back)"
    )
    music.add_argument("--monophonic", action="store_true", help="keep the highest note where several sound")
    music.add_argument(
        "--quantize", action="store_true", help="move onsets to the nearest sixteenth or triplet"
    )
    music.add_argument(
        "--tempo", type=float, default=100, help="quarter notes a minute of a .mid (default 100)"
    )
    images = parser.add_argument_group("pictures")
    images.add_argument("--invert", action="store_true", help="the picture is dark on light")
    images.add_argument("--enlarge", type=int, default=1, help="write every pixel this many times as large")
    return parser


def _image_model(path: Path) -> str:
    """What a picture is: a frame of dSprites by its size, else a digit."""
    return "dsprites" if picture.size(path) == (picture.SPRITE, picture.SPRITE) else "mnist"


def _edit_melody(given: argparse.Namespace, trained: TrainedModel) -> None:
    if given.output is not None and given.output.suffix.lower() not in (".musicxml", ".xml", ".mid", ".midi"):
        raise EditError(f"{given.output.name}: melodies are written as .musicxml or .mid")
    tune = melody.read(
        given.input,
        trained.vocabulary,
        given.part,
        given.tune,
        given.monophonic,
        given.transpose,
        given.quantize,
    )
    count = len(tune.measures)
    only = places(given.measures, count) if given.measures else None
    wishes = parse(given.wishes, trained, count)
    edited = edit(trained, tune.measures, wishes, only)
    print(f"{given.input.name}: {count} measures, {trained.setup.name} ({trained.run})")
    for line in tune.adapted:
        print(f"  {line}")
    print(report.text(edited))
    if given.output is not None:
        print(f"Written: {tune.save(given.output, edited.result, given.tempo)}")
    elif wishes:
        print("Nothing written: name a file with -o (.musicxml or .mid)")
    if given.json is not None:
        write_json(given.json, report.as_json(edited))


def _edit_picture(given: argparse.Namespace, trained: TrainedModel) -> None:
    if given.output is not None and given.output.suffix.lower() != ".png":
        raise EditError(f"{given.output.name}: images are written as .png")
    image, adapted = picture.read(given.input, trained.setup.dataset, given.invert)
    wishes = parse(given.wishes, trained)
    edited = edit(trained, image, wishes)
    print(f"{given.input.name}: {trained.setup.name} ({trained.run})")
    for line in adapted:
        print(f"  {line}")
    print(report.text(edited))
    if given.output is not None:
        print(f"Written: {picture.write(given.output, edited.result[0], given.enlarge)}")
    elif wishes:
        print("Nothing written: name a file with -o (.png)")
    if given.json is not None:
        write_json(given.json, report.as_json(edited))


if __name__ == "__main__":
    sys.exit(main())
