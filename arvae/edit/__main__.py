"""Turn the controls of a trained model on a melody, a digit or a shape.

    python -m arvae.edit tune.abc rhythmic_complexity=+1.5 -o edited.musicxml
    python -m arvae.edit tune.mid note_density=0.5 3-6:contour=-1 --model bach --in-key -o edited.mid
    python -m arvae.edit *.abc pitch_range=+1 -o wider/           # several files, each in its own format
    python -m arvae.edit tune.abc --variations 5 --seed 1 -o 'tune.mp3'
    python -m arvae.edit tune.musicxml                 # no request: how well each measure is reconstructed
    python -m arvae.edit four.png slant=+1 -o slanted.png

Requests: NAME=+1.5 or NAME=-1.5 turns a control by standard deviations; NAME=0.5 searches the control for a
value of the attribute (NAME==-0.3 for a negative one); MEASURES:NAME=... does either in some measures only.
If a turn does not move the attribute in the requested direction, the nearest setting that does is used.
"""

import argparse
import dataclasses
import re
import sys
from pathlib import Path

import torch

from arvae.datasets import DataError
from arvae.edit import melody, picture, report
from arvae.edit.faults import EditError
from arvae.edit.search import edit
from arvae.edit.wishes import parse, places
from arvae.files import write_bytes, write_json
from arvae.music.files import ENDINGS, WRITTEN
from arvae.params import ParamsError
from arvae.trained import ModelError, TrainedModel

#: Options that mean something for melodies only.
MELODIES = "measures", "part", "tune", "transpose", "monophonic", "quantize", "in_key", "key", "tempo"


def main(arguments: list[str] | None = None) -> int:
    """The command; exit status 1, with the reason and the remedy, where something cannot be done."""
    given = _parser().parse_intermixed_args(arguments)
    torch.set_num_threads(1)  # small batches: more threads only wait for each other
    wishes = [item for item in given.items if "=" in item and not Path(item).exists()]
    inputs = [Path(item) for item in given.items if item not in wishes]
    loaded: dict[str, TrainedModel] = {}
    failed = 0
    fault = ""
    if len(inputs) != 1 and (not inputs or given.json is not None):
        fault = "name a file to edit (only one with --json)"
    elif given.variations < 0 or given.seed < 0:
        fault = "--variations and --seed must be 0 or more"
    elif given.tempo is not None and not 4 <= given.tempo <= 1000:
        fault = f"--tempo {given.tempo:g} must be 4 to 1000 quarter notes per minute"
    elif amount := next((one for one in given.items if re.fullmatch(r"=?[+-]?\d*\.?\d+", one)), None):
        fault = f"{amount} is neither a file nor a request: write NAME={amount.strip('=')}, without blanks"
    if fault:
        print(f"arvae.edit: {fault}", file=sys.stderr)
        return 1
    taken = {path.resolve() for path in inputs}
    for path in inputs:
        try:
            is_score = path.suffix.lower() in ENDINGS
            name = given.model or ("folk" if is_score else picture.model_for(path))
            if name not in loaded:
                loaded[name] = TrainedModel.load(name, given.run)
            trained = loaded[name]
            music = trained.setup.kind == "music"
            if music != is_score:
                kind = f"melodies ({', '.join(ENDINGS)})" if music else "pictures"
                raise EditError(f"{trained.setup.name} edits {kind}, not {path.name}: choose another --model")
            asked = [f"--{one}".replace("_", "-") for one in MELODIES if getattr(given, one) and not music]
            if asked:
                raise EditError(f"{path.name} is a picture: leave out {', '.join(asked)} (for melodies)")
            targets = _targets(given, path, WRITTEN if music else (".png",), len(inputs) > 1, taken)
            _run(given, path, wishes, trained, targets)
            taken.update(target.resolve() for target in targets)
        except (EditError, ModelError, ParamsError, DataError, OSError) as error:
            print(f"arvae.edit: {error}", file=sys.stderr)
            failed = 1
    return failed


def _targets(
    given: argparse.Namespace, path: Path, endings: tuple[str, ...], several: bool, taken: set[Path]
) -> list[Path]:
    """Where the result of a file, or each of its variations, is written; none where nothing is to be.

    A folder takes the input's name and format; * in a name stands for the input's name. taken: the files that
    are read, and those already written.
    """
    if given.output is None:
        return []
    output = Path(given.output)
    if output.is_dir() or given.output.endswith("/"):
        output /= f"*{path.suffix if path.suffix.lower() in endings else endings[0]}"
    if several and "*" not in output.name:
        found = f"-o {given.output} is one file for several inputs"
        raise EditError(f"{found}: name a folder (out/) or out/*.mid")
    if output.suffix.lower() not in endings:
        kind = "pictures" if endings == (".png",) else "melodies"
        raise EditError(f"{output.name}: {kind} are written as {', '.join(endings)}")
    output = output.with_name(output.name.replace("*", path.stem))
    numbers = range(1, given.variations + 1)
    targets = [output.with_stem(f"{output.stem}-{number}") for number in numbers] or [output]
    for target in targets:
        if target.resolve() in taken:
            raise EditError(f"{target} is an input file or another result: choose another name with -o")
    return targets


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m arvae.edit", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = "melodies (MIDI, MusicXML, ABC) or pictures, and requests: NAME=+1.5, NAME=0.5, 3-6:NAME=-1"
    parser.add_argument("items", nargs="+", metavar="FILE_OR_REQUEST", help=what)
    parser.add_argument("-o", "--output", help="a file, a folder/, or a name with * for the input's name")
    parser.add_argument("--variations", type=int, default=0, help="number of variations, of sampled codes")
    parser.add_argument("--seed", type=int, default=0, help="of the first variation (0)")
    parser.add_argument("--model", help="a data set (its AR-VAE), a setup (folk-betavae), or a folder")
    parser.add_argument("--run", help="which training run, e.g. seed1 (default: the first)")
    parser.add_argument("--exact", action="store_true", help="turn exactly as requested, without search")
    parser.add_argument("--json", type=Path, help="write all numbers to this file")
    music = parser.add_argument_group("melodies")
    music.add_argument("--measures", help="edit only these, e.g. 3-6 or 1,3,5-; the others are unchanged")
    music.add_argument("--part", help="the part of a score with several, by number or name")
    music.add_argument("--tune", help="the tune of an ABC file with several, by its X: number")
    music.add_argument("--transpose", action="store_true", help="transpose into the model's range (and back)")
    music.add_argument("--monophonic", action="store_true", help="keep the highest note where several sound")
    music.add_argument("--quantize", action="store_true", help="move notes to sixteenths and triplets")
    music.add_argument("--in-key", action="store_true", help="choose only notes of the tune's scale")
    music.add_argument("--key", help="its key, as ABC writes it (Em, D mix); default: the file's")
    music.add_argument("--tempo", type=float, help="quarter notes per minute (default: the file's, or 100)")
    images = parser.add_argument_group("pictures")
    images.add_argument("--invert", action="store_true", help="the picture is dark on light")
    images.add_argument("--enlarge", type=int, default=1, help="scale the output by this factor")
    return parser


def _run(
    given: argparse.Namespace, path: Path, asked: list[str], trained: TrainedModel, targets: list[Path]
) -> None:
    """Read, edit, say what came of it, write."""
    count = only = scale = tune = None
    if trained.setup.kind == "music":
        names = ("part", "tune", "monophonic", "transpose", "quantize", "key")
        options = {name: getattr(given, name) for name in names}
        tune = melody.read(path, trained.vocabulary, **options)
        examples, adapted, count = tune.measures, tune.adapted, len(tune.measures)
        only = places(given.measures, count) if given.measures else None
        if given.in_key:
            scale, adapted = tune.scale, (*adapted, tune.in_key(only or ()))
    else:
        examples, adapted = picture.read_for(trained, path, given.invert)
    wishes = parse(asked, trained, count)
    size = "" if count is None else f"{count} measure{'s' if count > 1 else ''}, "
    print(f"{path.name}: {size}model {trained.setup.name}, run {trained.run}")
    print(*report.filled([f"  {line}" for line in (trained.origin, *adapted)]), sep="\n")
    how = {"search": not given.exact, "scale": scale}
    if given.variations:
        seeds = range(given.seed, given.seed + given.variations)
        codes = (trained.sample(examples, seed) for seed in seeds)
        results = [edit(trained, examples, wishes, only, **how, z=z) for z in codes]
        print(report.variations(results))
    else:
        results = [edit(trained, examples, wishes, only, **how)]
        print(report.text(results[0]))
        if not wishes:  # nothing was asked for: the measures stay as they are
            same = {"result": results[0].original, "after": results[0].before, "z_after": results[0].z}
            results = [dataclasses.replace(results[0], **same)]
    for edited, target in zip(results, targets, strict=False):
        if tune is None:
            picture.write(target, edited.result[0], given.enlarge)
            print(f"Written: {target}")
        else:
            content, kept = tune.render(target.suffix, edited.result, given.tempo)
            write_bytes(target, content)
            print(f"Written: {target}")
            if kept:
                tune_only = f", tune {given.tune} only" if given.tune else ""
                print(*report.filled([f"  Kept of {path.name}{tune_only}: {kept}"]), sep="\n")
    if wishes and not targets:
        endings = ".png" if tune is None else ", ".join(WRITTEN)
        print(f"Nothing written: name an output file with -o ({endings})")
    if given.json is not None:
        numbers = [report.as_json(edited) for edited in results]
        write_json(given.json, numbers if given.variations else numbers[0])


if __name__ == "__main__":
    sys.exit(main())
