"""Many tunes: read, duplicates and variants, the split, every transposition, provenance."""

import http.server
import json
import os
import signal
import threading
from functools import partial

import numpy as np
import pytest

from arvae.datasets import bach as chorales
from arvae.datasets import corpus, folk, reading, sources
from arvae.datasets.contract import DataError, Dataset
from arvae.datasets.reading import Coded, Written
from arvae.music import coding as music
from arvae.music import score


def reader(written):
    """A tune is a row of pitches, four quarter notes a measure; "bad" cannot be read."""
    if written.content == b"bad":
        raise score.TuneError(score.BROKEN, "line 1 is bad")
    pitches = np.frombuffer(written.content, np.uint8).astype(np.int16).reshape(-1, 4)
    measures = np.full((len(pitches), 24), music.CONTINUE, np.int16)
    measures[:, ::6] = pitches
    return measures


def tune(number, pitches, title="a tune"):
    return Written("book", str(number), title, bytes(pitches))


def random_tunes(count, generator, lowest=60, highest=72):
    return [tune(i, generator.integers(lowest, highest, 32).tolist()) for i in range(count)]


def read(written):
    return reading.read_all(written, reader, "reading", silent)


def silent(line):
    """Swallow progress lines."""


# ------------------------------------------------------------------ reading


def test_read_in_order_with_reasons():
    written = [tune(0, [60, 62, 64, 65]), Written("book", "1", "", b"bad"), tune(2, [67, 65, 64, 62])]
    first, bad, last = read(written)
    assert first.measures[0, ::6].tolist() == [60, 62, 64, 65] and not first.reason
    assert last.measures[0, 0] == 67
    assert (bad.reason, bad.detail, len(bad.measures)) == (score.BROKEN, "unreadable: line 1 is bad", 0)


def test_processes_and_one_process_give_the_same(monkeypatch):
    written = random_tunes(300, np.random.default_rng(0))
    parallel = read(written)
    monkeypatch.setattr(reading.machine, "cores", lambda: 1)
    for one, other in zip(parallel, read(written), strict=True):
        np.testing.assert_array_equal(one.measures, other.measures)


def dying(content):
    """A reader that is killed, as by a system short of memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_process_is_reported(monkeypatch):
    monkeypatch.setattr(reading, "_ALONE", 0)
    monkeypatch.setattr(reading.machine, "cores", lambda: 2)
    with pytest.raises(DataError, match="reading: a process was killed"):
        reading.read_all(random_tunes(6, np.random.default_rng(0)), dying, "reading", silent)


# ------------------------------------------------------------------ the data set


def test_split_by_tune_and_every_transposition():
    generator = np.random.default_rng(3)
    written = random_tunes(40, generator)
    coded = [Coded(reader(one)) for one in written]
    data = corpus.assemble("folk", written, coded, {}, {})
    tunes_of = [set(data.split(part).extra["tune"].tolist()) for part in ("train", "validation", "test")]
    assert [len(side) for side in tunes_of] == [28, 4, 8]
    assert not (tunes_of[0] & tunes_of[1] or tunes_of[0] & tunes_of[2] or tunes_of[1] & tunes_of[2])
    for split in (data.train, data.validation, data.test):
        assert split.x.dtype == np.int16 and split.attributes.dtype == np.float32
        assert split.x[split.x >= 0].min() >= 55 and split.x.max() <= 84
        np.testing.assert_array_equal(split.attributes, music.attributes(split.x))
        for index in set(split.extra["tune"].tolist()):
            mine = split.extra["tune"] == index
            shifts = music.transpositions(coded[index].measures)
            assert sorted(set(split.extra["transposition"][mine].tolist())) == list(shifts)
            for row in np.flatnonzero(mine)[::17]:
                original = coded[index].measures[split.extra["measure"][row]]
                moved = music.transpose(original, int(split.extra["transposition"][row]))
                np.testing.assert_array_equal(split.x[row], moved)
    shared = data.provenance["share of test measures that training has too, up to transposition"]
    assert shared == 0 and data.provenance["tunes kept"] == 40 and data.vocabulary.size == 34


def test_the_same_tune_in_another_key_is_left_out_and_variants_stay_together():
    generator = np.random.default_rng(4)
    written = random_tunes(30, generator)
    again = tune(30, [pitch + 3 for pitch in written[0].content], "the same, higher")
    varied = bytearray(written[1].content)
    varied[-4:] = bytes([70, 61, 70, 61])
    variant = tune(31, list(varied), "a variant")
    setting = Written("book", "2", "another setting", bytes(generator.integers(60, 72, 32).tolist()))
    written = [*written, again, variant, setting]
    coded = [Coded(reader(one)) for one in written]
    data = corpus.assemble("folk", written, coded, {}, {})
    left_out = data.provenance["tunes left out"]
    assert left_out[corpus.DUPLICATE]["tunes"] == 1
    assert "the same, higher" in left_out[corpus.DUPLICATE]["examples"][0]
    names = data.provenance["tunes"]
    side = {}
    for part in ("train", "validation", "test"):
        side |= {names[i]: part for i in set(data.split(part).extra["tune"].tolist())}
    assert len(side) == 32
    assert side["book 1: a tune"] == side["book 31: a variant"]
    assert side["book 2: a tune"] == side["book 2: another setting"]
    assert data.provenance["groups of variants"] == 30


def test_sizes_are_at_most_and_fixed():
    written = random_tunes(20, np.random.default_rng(5))
    coded = [Coded(reader(one)) for one in written]
    sizes = {"train": 100, "validation": 10**6, "test": 50}
    data = corpus.assemble("folk", written, coded, sizes, {})
    assert (len(data.train), len(data.test)) == (100, 50) and 10 < len(data.validation) < 10**6
    np.testing.assert_array_equal(data.train.x, corpus.assemble("folk", written, coded, sizes, {}).train.x)


def test_a_tune_with_too_wide_a_range_is_left_out():
    written = [*random_tunes(6, np.random.default_rng(0)), tune(9, [50, 60, 70, 80])]
    coded = [Coded(reader(one)) for one in written]
    data = corpus.assemble("folk", written, coded, {}, {})
    assert data.provenance["tunes left out"][score.WIDE]["by collection"] == {"book": 1}


def test_too_few_tunes_are_refused_with_the_reasons():
    written = [tune(0, [60, 62, 64, 65]), tune(1, [60, 60, 60, 67])]
    coded = [Coded(reader(one)) for one in written]
    with pytest.raises(DataError, match="2 of 2 tunes are usable, needed are at least 3"):
        corpus.assemble("folk", written, coded, {}, {})


# ------------------------------------------------------------------ the two real data sets, small


def test_a_few_chorales(tmp_path):
    data = chorales.prepare({"tunes": 12, "train": 300}, "auto", tmp_path, tmp_path, log=silent)
    data.save(tmp_path / "bach")
    again = Dataset.load(tmp_path / "bach", "bach")
    assert again.vocabulary == music.Vocabulary() and again.attribute_names == music.ATTRIBUTE_NAMES
    assert len(again.train) == 300 and again.provenance["tunes found"] == {"Riemenschneider": 371}
    left_out = again.provenance["tunes left out"]
    assert again.provenance["tunes kept"] + sum(entry["tunes"] for entry in left_out.values()) == 12
    manifest = (tmp_path / "bach" / "manifest.json").read_bytes()
    chorales.prepare({"tunes": 12, "train": 300}, "auto", tmp_path, tmp_path, log=silent).save(
        tmp_path / "bach"
    )
    assert (tmp_path / "bach" / "manifest.json").read_bytes() == manifest


def test_a_few_folk_tunes(tmp_path):
    data = folk.prepare({"tunes": 20}, "auto", tmp_path, tmp_path, log=silent)
    found = data.provenance["tunes found"]
    assert sum(found.values()) > 12_000 and set(found) == set(folk.COLLECTIONS.values())
    assert data.provenance["source"] == "music21" and 10 <= data.provenance["tunes kept"] <= 20
    json.dumps(dict(data.provenance))


@pytest.mark.parametrize("module", [chorales, folk])
def test_an_unknown_source_is_refused(module, tmp_path):
    with pytest.raises(DataError, match="'spotify'.*music21"):
        module.prepare({}, "spotify", tmp_path, tmp_path, log=silent)


SESSION = """tune_id,setting_id,name,type,meter,mode,abc,date,username,composer
1,1,"Cooley's",reel,4/4,Edorian,"|:D2|EBBA B2 EB|B2 AB dBAG|FDAD BDAD|FDAD dAFD|!\r
EBBA B2 EB|B2 AB defg|afec dBAF|DEFD E2:|!",2001-05-14,Jeremy,
1,12,"Cooley's",reel,4/4,Edorian,"EB B2 ~E2 EB|B2AB dBAG|FDAD BDAD|FDAD dAFD|",2002-01-01,someone,
2,2,"Bucks Of Oranmore, The",reel,4/4,Dmajor,"|: A2FA DAFA|A2FA BEE2|A2FA DAFA|dfed BdAF :|",2001-05-14,x,
3,3,"A Jig",jig,6/8,Gmajor,"GAB cde|",2001-05-14,x,
4,4,"A Barndance",barndance,4/4,Bbmajor,"B2 d2 f2 d2|B3 c d2 B2|c2 e2 d2 c2|B6 z2|",2001-05-14,x,
5,5,"With chords",reel,4/4,Aminor,"[Ac]4 e4|A8|",2001-05-14,x,
6,6,"Another",polka,4/4,Amixolydian,"A2 c2 e2 c2|g3 f e2 c2|A2 c2 e2 f2|A6 A2|",2001-05-14,x,
"""


def test_thesession_table(tmp_path, monkeypatch):
    (tmp_path / "tunes.csv").write_text(SESSION, newline="")
    monkeypatch.setenv(sources.FOLDER, str(tmp_path))
    data = folk.prepare({}, "thesession", tmp_path / "raw", tmp_path / "cache", log=silent)
    provenance = data.provenance
    assert provenance["source"] == "thesession" and provenance["tunes found"] == {"thesession.org": 7}
    assert provenance["tunes in another metre"] == {"thesession.org": 1}
    assert provenance["tunes kept"] == 5 and provenance["tunes left out"][score.CHORDS]["tunes"] == 1
    assert provenance["groups of variants"] == 4  # the two settings of tune 1 stay together
    first = folk.session(SESSION.encode())[0]
    measures = folk.read(first)
    beats = [[int(p) for p in measure[measure >= 0]] for measure in measures[:2]]
    assert beats == [[62], [64, 71, 71, 69, 71, 64, 71]]  # the pick-up; E dorian has F# and C#
    assert 66 in measures[3]


@pytest.fixture
def server(tmp_path):
    """A folder served over HTTP: (folder, address)."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            """Say nothing."""

    folder = tmp_path / "served"
    folder.mkdir()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_thesession_is_downloaded_once_checked_and_kept(tmp_path, monkeypatch, server):
    folder, address = server
    monkeypatch.delenv(sources.FOLDER, raising=False)
    monkeypatch.setattr(folk, "ADDRESS", f"{address}/tunes.csv")
    (folder / "tunes.csv").write_text("<html>not here</html>")
    with pytest.raises(DataError, match="(?s)thesession.*no column tune_id.*By hand: put tunes.csv into"):
        folk.prepare({}, "thesession", tmp_path / "raw", tmp_path / "cache", log=silent)
    assert not (tmp_path / "raw" / "thesession" / "tunes.csv").exists()
    (folder / "tunes.csv").write_text(SESSION, newline="")
    data = folk.prepare({}, "thesession", tmp_path / "raw", tmp_path / "cache", log=silent)
    (folder / "tunes.csv").unlink()
    again = folk.prepare({}, "thesession", tmp_path / "raw", tmp_path / "cache", log=silent)
    np.testing.assert_array_equal(data.train.x, again.train.x)


@pytest.mark.parametrize(
    ("mode", "key"),
    [
        ("Gmajor", "G"),
        ("Edorian", "Edor"),
        ("Bbmajor", "Bb"),
        ("F#minor", "F#min"),
        ("Amixolydian", "Amix"),
        ("", "C"),
    ],
)
def test_thesession_keys(mode, key):
    assert folk._key(mode) == key


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<!DOCTYPE html><html><body>404</body></html>", "no column tune_id"),
        (b"tune_id,name\n1,x\n", "no column meter, mode, abc"),
        (b"tune_id,name,meter,mode,abc\n", "no tune in it"),
        (b"", "no column tune_id"),
        (b"tune_id,name,meter,mode,abc\n1,x,4/4,G," + b"a" * 200_000 + b"\n", "is not a valid table"),
    ],
)
def test_what_is_not_thesession_is_refused_with_its_address(content, words):
    with pytest.raises(DataError, match=f"(?s)tunes.csv.*{words}.*https://raw.githubusercontent.com"):
        folk.session(content)
