"""Your own melodies: a folder of MIDI, MusicXML and ABC files as a data set; what is left out, and why."""

import json
import re
import shutil
import sys
import zipfile

import numpy as np
import pytest
from mido.midifiles.meta import encode_variable_int
from ruamel.yaml import YAML

from arvae import datasets
from arvae.datasets import melodies
from arvae.datasets.contract import DataError
from arvae.music import coding as music
from arvae.music import files as scores
from arvae.music import score
from tests import conftest

ABC = "X:{number}\nT:{title}\nM:{metre}\nL:1/8\nK:C\n{notes}|\n"
SCALE = "CDEFGABc"


def tune(seed, measures=8):
    """A made-up melody in eighths and quarters, another for each seed."""
    generator = np.random.default_rng(seed)
    symbols = np.full((measures, music.TICKS), music.CONTINUE, np.int16)
    symbols[:, ::6] = generator.choice([60, 62, 64, 65, 67, 69, 71, 72], (measures, 4))
    eighths = generator.random((measures, 4)) < 0.5
    symbols[:, 3::6][eighths] = generator.choice([60, 64, 67, 72], int(eighths.sum()))
    return symbols


def abc(seed, number=1, metre="4/4", bars=6):
    notes = np.random.default_rng(seed).choice(list(SCALE), (bars, 8))
    return ABC.format(number=number, title=f"Tune {seed}", metre=metre, notes="|".join(map("".join, notes)))


@pytest.fixture
def folder(tmp_path):
    """Four tunes in MIDI, four in MusicXML, one in ABC and four in one ABC file, in two folders."""
    place = tmp_path / "my tunes"
    (place / "more").mkdir(parents=True)
    for i in range(4):
        scores.write(place / f"{i}.mid", tune(i))
        scores.write(place / "more" / f"{i}.musicxml", tune(10 + i), title=f"Song {i}")
    (place / "alone.abc").write_text(abc(20))
    (place / "book.ABC").write_text("\n".join(abc(30 + i, number=i + 1) for i in range(4)))
    (place / "notes.txt").write_text("bought at the fair")
    return place


def prepare(folder, tmp_path, **more):
    return datasets.prepare(
        "tunes", folder=folder, kind="music", directory=tmp_path / "out", cache=tmp_path / "cache",
        log=lambda line: None, **more,
    )  # fmt: skip


def test_a_folder_of_melodies_becomes_a_data_set(folder, tmp_path):
    prepare(folder, tmp_path, own=["tonal tension", "syncopation"])
    data = datasets.load("tunes", tmp_path / "out")
    assert data.kind == "music" and data.vocabulary == music.Vocabulary()
    assert data.attribute_names == (*music.ATTRIBUTE_NAMES, "tonal tension", "syncopation")
    assert data.provenance["tunes found"] == {".musicxml": 4, ".mid": 4, ".abc": 5}
    assert data.provenance["tunes kept"] == 13 and data.provenance["tunes left out"] == {}
    assert "tunes book.ABC X:3: Tune 32" in data.provenance["tunes"]
    sides = [set(data.split(part).extra["tune"]) for part in datasets.SPLITS]
    assert set.union(*sides) == set(range(13)) and sum(map(len, sides)) == 13
    for part in datasets.SPLITS:
        split = data.split(part)
        pitches = split.x[split.x >= 0]
        assert pitches.min() >= music.LOWEST and pitches.max() <= music.HIGHEST
        np.testing.assert_allclose(split.attributes[:, :4], music.attributes(split.x))


def test_what_is_read_is_what_was_written(folder, tmp_path):
    data = prepare(folder, tmp_path)
    for number, seed in (("1.mid", 1), ("more/2.musicxml", 12)):
        (index,) = (i for i, text in enumerate(data.provenance["tunes"]) if f" {number}:" in text)
        split = next(s for s in map(data.split, datasets.SPLITS) if index in s.extra["tune"])
        mine = split.extra["tune"] == index
        rows = mine & (split.extra["transposition"] == 0)
        order = np.argsort(split.extra["measure"][rows])
        np.testing.assert_array_equal(split.x[rows][order], tune(seed))
        assert len(set(split.extra["transposition"][mine])) == len(music.transpositions(tune(seed)))


def test_tunes_that_cannot_be_used_are_left_out_with_their_reason(folder, tmp_path, monkeypatch):
    wide, chord = tune(50), music.transpose(tune(51), 0)
    wide[0, :2] = 40, 90
    scores.write(folder / "wide.mid", wide)
    (folder / "waltz.abc").write_text(abc(52, metre="3/4"))
    (folder / "chord.abc").write_text(abc(53).replace("K:C\n", "K:C\n[CEG]8|"))
    (folder / "two.musicxml").write_text(scores.to_musicxml([chord, chord]))
    (folder / "fast.abc").write_text(abc(54).replace("K:C\n", "K:C\nC/4C/4C/4C/4CCCCCCC|"))
    scores.write(folder / "again.mid", music.transpose(tune(0), 2))
    (folder / "no.mid").write_bytes(b"MThd")
    (folder / "no.xml").write_text("<html/>")
    (folder / "no.mxl").write_bytes(b"PK\3\4")
    (folder / "empty.abc").write_text("")
    (folder / "silent.abc").write_text(ABC.format(number=1, title="Rest", metre="C|", notes="z8|z8"))
    monkeypatch.setattr(scores, "LARGEST", 200_000)
    (folder / "huge.abc").write_text(abc(55, bars=30_000))
    provenance = prepare(folder, tmp_path).provenance
    left_out = provenance["tunes left out"]
    assert provenance["files passed over"] == ["notes.txt"]
    found = {one.split()[1]: (reason, one) for reason, entry in left_out.items() for one in entry["examples"]}
    expected = {
        "wide.mid": score.WIDE,
        "waltz.abc": score.OTHER_METRE,
        "chord.abc": score.CHORDS,
        "two.musicxml": scores.PARTS,
        "fast.abc": score.OFF_GRID,
        "again.mid": "same as another tune",
        "no.mid": score.BROKEN,
        "no.xml": score.BROKEN,
        "no.mxl": score.BROKEN,
        "empty.abc": melodies.TOO_LARGE,
        "silent.abc": score.SILENT,
        "huge.abc": melodies.TOO_LARGE,
    }
    assert {name: reason for name, (reason, _) in found.items()} == expected
    assert "the notes of 0.mid" in found["again.mid"][1]
    assert "metre 3/4" in found["waltz.abc"][1] and "2 parts" in found["two.musicxml"][1]


def test_a_folder_with_nothing_to_read_is_refused_by_name(folder, tmp_path):
    empty = tmp_path / "empty"
    with pytest.raises(DataError, match="data set tunes: .*empty is not a folder"):
        prepare(empty, tmp_path)
    empty.mkdir()
    (empty / "song.mp3").write_bytes(b"ID3")
    with pytest.raises(DataError, match="empty has 0 files with melodies .*.musicxml"):
        prepare(empty, tmp_path)
    for i in range(10):
        (empty / f"{i}.abc").write_text(abc(i, metre="6/8"))
    with pytest.raises(DataError, match="0 of 10 tunes in .*empty can be used") as error:
        prepare(empty, tmp_path)
    assert "0.abc: other metre: bar 1 has metre 6/8" in str(error.value)
    assert "and 2 more" in str(error.value) and not (tmp_path / "out" / "manifest.json").exists()


ENTITY = (
    '<!DOCTYPE score-partwise [<!ENTITY x SYSTEM "file://{secret}">]><score-partwise>&x;</score-partwise>'
)


def test_files_of_strangers_open_nothing_and_take_no_memory(folder, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("<part/>")
    (folder / "entity.xml").write_text(ENTITY.format(secret=secret))
    bomb = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 100 if i else "ha"}">' for i in range(8))
    (folder / "bomb.xml").write_text(f"<!DOCTYPE s [{bomb}]><score-partwise>&a7;</score-partwise>")
    with zipfile.ZipFile(folder / "bomb.mxl", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/container.xml", '<c><rootfile full-path="s.xml"/></c>')
        archive.writestr("s.xml", b" " * (40 << 20))
    late = bytearray((folder / "0.mid").read_bytes())
    place = late.index(b"\x90")
    late[place - 1 : place] = encode_variable_int(100_000 * 4 * 480)  # the first note, much later
    late[18:22] = (int.from_bytes(late[18:22], "big") + 3).to_bytes(4, "big")
    (folder / "late.mid").write_bytes(late)
    reasons = prepare(folder, tmp_path).provenance["tunes left out"]
    assert set(reasons) == {score.BROKEN} and reasons[score.BROKEN]["tunes"] == 4
    said = " ".join(reasons[score.BROKEN]["examples"])
    assert (
        "100,008 measures" in said and "MB: that is no score" in said and "<part/>" not in json.dumps(reasons)
    )


def test_a_limit_on_tunes(folder, tmp_path):
    some = prepare(folder, tmp_path, sizes={"tunes": 9, "train": 20, "validation": None, "test": None})
    assert some.provenance["tunes read"] == 9 and len(some.train) == 20
    everything = prepare(folder, tmp_path, sizes={"tunes": 400})
    assert everything.provenance["tunes read"] == 13


@pytest.mark.slow
def test_a_folder_of_melodies_goes_through_the_pipeline(folder, tmp_path):
    page = (conftest.ROOT / "docs" / "your_own_data.md").read_text()
    (block,) = (
        text for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "folder: my_tunes" in text
    )
    project, yaml = conftest.copy_project(tmp_path / "project"), YAML()
    hyperparameters, entries = (yaml.load(text) for text in ((project / "params.yaml").read_text(), block))
    hyperparameters["datasets"].update(entries["datasets"])
    with open(project / "params.yaml", "w") as file:
        yaml.dump(hyperparameters, file)
    shutil.copytree(folder, project / "my_tunes")
    (project / "my_tunes" / "waltz.abc").write_text(abc(52, metre="3/4"))

    conftest.run(project, sys.executable, "-m", "compendium.pipeline")
    conftest.dvc(project, "repro", "train@tunes-arvae")
    conftest.run(
        project, sys.executable, "-m", "arvae.notebook", "notebooks/4_evaluate.ipynb",
        "reports/notebooks/evaluate-tunes-arvae.ipynb", "-p", "dataset", "tunes", "-p", "model", "arvae",
    )  # fmt: skip
    result = json.loads((project / "reports" / "metrics" / "tunes-arvae.json").read_text())
    assert result["attributes"] == [*music.ATTRIBUTE_NAMES, "syncopation"]
    for one in result["runs"].values():
        steered = one["details"]["controllability"]["fixed"]["per_attribute"]["syncopation"]
        assert steered["measurable"] == 1 and 0 <= one["interpretability"] <= 1
    report = (project / "reports" / "notebooks" / "data-tunes.ipynb").read_text()
    assert "waltz.abc" in report and "metre 3/4" in report and "how much notes begin on weak ticks" in report
