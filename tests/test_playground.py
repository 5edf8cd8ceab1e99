"""The playground page, in a real browser: its models agree with torch and its readers with the project's own,
and everything on it can be operated by mouse, by finger and from the keyboard."""

import base64
import dataclasses
import io
import json
import re
import time
from xml.etree.ElementTree import canonicalize

import numpy as np
import pytest
import torch
from mido import Message, MetaMessage, MidiFile, MidiTrack
from PIL import Image, ImageDraw

from arvae import models, params, paths
from arvae.datasets import catalogue, dsprites, pictures, sprites
from arvae.datasets.contract import Dataset, PackedImages, Split
from arvae.datasets.measuring import digits_morphology
from arvae.edit import EditError, read_melody
from arvae.edit.search import symbols
from arvae.music import coding as music
from arvae.music import files as scores
from arvae.music import midi, musicxml, notation
from arvae.music.beside import Beside, beside_of
from arvae.music.write_musicxml import packed
from arvae.trained import TrainedModel
from compendium.playground import items, page, weights
from tests.browser import chromium, running
from tests.tab import Tab
from tests.test_melody import keys_change
from tests.test_patching import SONG, WORDS
from tests.test_patching import XML as SCORE

torch.set_num_threads(1)
ROOT = paths.root(__file__)
NEAR = 1e-3  # how far the page may be from torch, given the same weights
ROUNDED = 0.03  # ... of a probability, with weights rounded as the page carries them; of a symbol's score
INPUTS = sorted(path for path in (ROOT / "tests" / "inputs" / "music").iterdir() if path.suffix != ".md")


def carried(matrix):
    """A matrix as the page has it."""
    whole, factors = weights.rounded(matrix.numpy(), 12)
    return torch.from_numpy(whole * factors)


def network(dataset, seed=0):
    """The real architecture with random weights, biases included, so that every part of it shows in the
    output."""
    setup = params.load(ROOT / "params.yaml").setup(dataset, "arvae")
    random = torch.Generator().manual_seed(seed)
    model = models.build(setup, vocabulary_size=music.Vocabulary().size, generator=random).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.normal_(0, 0.1, generator=random)
            elif dataset == "dsprites":
                parameter.mul_(1.3)  # its outputs would all be near one half
    if model.kind == "music":  # as the page carries them
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if parameter.ndim == 2:
                    cuts = [model.embed_out.embedding_dim] if name == "tick.weight_ih_l0" else []
                    parts = parameter.tensor_split(cuts, 1)
                    parameter.copy_(torch.cat([carried(part) for part in parts], 1))
            model.first_symbol.copy_(carried(model.first_symbol[None])[0])
    return setup, model


def small(dataset):
    """A little data set of the right form; dSprites are drawn, digits and tunes are random."""
    random = np.random.default_rng(0)
    if dataset == "dsprites":
        factors = np.stack([random.integers(0, count, 60) for count in dsprites.COUNTS], axis=1)
        split = Split(
            PackedImages.pack(dsprites.render(factors)), dsprites.attributes(factors), {"factors": factors}
        )
        return Dataset("dsprites", "images", split, split, split, dsprites.NAMES, dsprites.UNITS)
    if dataset == "mnist":
        x = random.integers(0, 256, (60, 28, 28)).astype(np.uint8)
        split = Split(x, random.random((60, 6), np.float32), {"label": (np.arange(60) % 10).astype(np.uint8)})
        return Dataset(
            "mnist",
            "images",
            split,
            split,
            split,
            tuple(catalogue.data_sets()["mnist"].attributes),
            ("",) * 6,
        )
    x = np.where(random.random((3, 8, 24)) < 0.4, random.integers(60, 72, (3, 8, 24)), music.CONTINUE).astype(
        np.int16
    )
    keys = range(-2, 3)
    rows = [(music.transpose(x[t, m], k), t, k, m) for t in range(3) for k in keys for m in range(8)]
    measures = np.array([row[0] for row in rows])
    extra = {
        name: np.array([row[i] for row in rows])
        for i, name in enumerate(("tune", "transposition", "measure"), 1)
    }
    split = Split(measures, music.attributes(measures), extra)
    titles = {"tunes": ["A 1: THE FIRST -- REEL", "A 2: </script><b>second</b>", "A 3: third"]}
    return Dataset(
        dataset,
        "music",
        split,
        split,
        split,
        music.ATTRIBUTE_NAMES,
        music.ATTRIBUTE_UNITS,
        music.Vocabulary(),
        titles,
    )


def run(dataset, seed=0):
    """A TrainedModel around random weights, its controls measured on the little data set."""
    data, (setup, model) = small(dataset), network(dataset, seed)
    bare = TrainedModel.of(setup, "seed0", model, data)
    return bare.fitted(*bare.test_codes(data, 2000)), data


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The page, with its four models."""
    trained = {name: run(name, seed) for seed, name in enumerate(("mnist", "dsprites", "folk", "bach"))}
    path = tmp_path_factory.mktemp("page") / "playground.html"
    beside = {name: run(name, seed)[0] for seed, name in enumerate(("mnist", "folk"), 7)}
    sizes = page.write(path, trained, "random weights, for a test", beside)
    return path, trained, sizes


@pytest.fixture(scope="module")
def tab(made):
    program = chromium()
    if program is None:
        pytest.skip("no Chromium here: the page's decoders were NOT compared with torch in a browser")
    with running(program) as address:
        tab = Tab(address)
        tab.open(made[0])
        assert tab.run("new Promise(done => setTimeout(() => done(typeof playground), 100))") == "object"
        yield tab
        tab.close()


def decoded(trained, z):
    with torch.inference_mode():
        logits = trained.network.decode(torch.tensor(np.array(z), dtype=torch.float32))
    return (logits.sigmoid() if trained.network.kind == "images" else logits).numpy()


# ---------------------------------------------------------------- weights


@pytest.mark.parametrize("dataset", ["mnist", "dsprites", "folk"])
def test_every_tensor_is_found_again(dataset):
    program, tensors = weights.export(network(dataset)[1])
    for bits in (8, 12):
        packed, text = weights.packed(program, tensors, bits)
        content = base64.b64decode(text)
        assert set(packed["tensors"]) == set(tensors)
        for name, (first, rows, columns, kind) in packed["tensors"].items():
            matrix = tensors[name].reshape(rows, columns)
            if kind == "s":
                found, near = np.frombuffer(content, "<f4", rows * columns, first), 0
            else:
                factors = np.frombuffer(content, "<f4", rows, first)[:, None]
                size, first = rows * columns, first + 4 * rows
                found, near = np.frombuffer(content, "i1", size, first).astype(int), 0.501 * factors
                if kind == "t":
                    low = np.frombuffer(content, "u1", (size + 1) // 2, first + size)
                    found = 16 * found + np.stack([low >> 4, low & 15], 1).ravel()[:size]
                found = found.reshape(rows, columns) * factors
            assert (np.abs(found.reshape(rows, columns) - matrix) <= near).all(), name


def test_a_layer_the_page_cannot_compute_is_refused():
    model = network("mnist")[1]
    model.decoder_convs.append(torch.nn.Tanh())
    with pytest.raises(ValueError, match="Tanh"):
        weights.export(model)
    with pytest.raises(ValueError, match="Linear cannot be put"):
        weights.export(torch.nn.Linear(2, 2))


# ---------------------------------------------------------------- items


def test_tunes_are_put_together_from_all_keys():
    data = small("folk")
    keep = np.random.default_rng(1).permutation(len(data.test))[:60]  # half of the measures, keys mixed
    part = Split(
        data.test.x[keep], data.test.attributes[keep], {k: v[keep] for k, v in data.test.extra.items()}
    )
    for tune, (places, measures) in items.tunes(dataclasses.replace(data, test=part)).items():
        written = {
            m: x
            for x, t, k, m in zip(data.test.x, *data.test.extra.values(), strict=True)
            if (t, k) == (tune, 0)
        }
        shift = {
            int(a - b)
            for m, x in zip(places, measures, strict=True)
            for a, b in zip(x, written[m], strict=True)
            if b >= 0
        }
        assert len(shift) == 1 and len(places) >= 7


def test_items_are_what_they_say(made):
    _, trained, _ = made
    ones = items.digits(*trained["mnist"])
    labels = small("mnist").test
    assert [item.name for item in ones[:3]] == ["a 0", "another 0", "a 1"] and len(ones) == 20
    for item in ones:
        (place,) = np.flatnonzero((labels.x == item.original[0]).all(axis=(1, 2)))
        assert str(labels.extra["label"][place]) == item.name[-1]
    tune = items.melodies(*trained["folk"])[0]
    assert tune.original.shape == (4, 24) and tune.z.shape == (4, 32)
    assert np.allclose(tune.z, trained["folk"][0].encode(tune.original)[0], atol=1e-6)
    assert items.title("A 1: THE FIRST -- REEL") == "The First – Reel" and len(items.title("x" * 99)) == 60


# ---------------------------------------------------------------- the file


def test_one_file_that_asks_nobody(made):
    path, _, sizes = made
    text = path.read_text(encoding="utf-8")
    assert path.stat().st_size == sizes["page"] < page.LIMIT
    assert not re.search(r'(src|href)="(?!index\.html|#|data:)', text) and "@import" not in text
    assert "default-src 'none'" in text and "{{" not in text
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    names = [i["name"] for style in json.loads(found[1])["panels"][2]["styles"] for i in style["items"]]
    assert "</script><b>second</b>" in names
    (scale,) = {model.setup.scale for model, _ in made[1].values()}
    assert f"in your browser (scale {scale})</title>" in text and f"trained at scale {scale}. A" in text


def test_faults_are_named(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="train some first"):
        page.write(tmp_path / "page.html", {}, "")
    model, data = run("mnist")
    trained = {"mnist": (model, data)}
    with pytest.raises(ValueError, match="no panel for shoes"):
        page.write(tmp_path / "page.html", {"shoes": (model, dataclasses.replace(data, name="shoes"))}, "")
    monkeypatch.setattr(page, "LIMIT", 1000)
    with pytest.raises(ValueError, match="more than 1,000"):
        page.write(tmp_path / "page.html", trained, "")
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------- in the browser


@pytest.mark.parametrize("name", ["mnist", "dsprites"])
def test_moving_a_slider_decodes_as_torch_does(tab, made, name):
    trained, _ = made[1][name]
    tab.run(f"(playground.panels.{name}.choose(3), playground.settled())")
    start = tab.run(f"playground.panels.{name}.state.z")
    for number, control in enumerate(trained.controls):
        for share in (0.0, 0.35, 1.0):
            value = control.low + share * (control.high - control.low)
            z, output = tab.run(f"""(async () => {{
                const {{ state, sliders }} = playground.panels.{name}, {{ input }} = sliders[{number}];
                input.value = {value};
                input.dispatchEvent(new Event("input", {{ bubbles: true }}));
                await playground.settled();
                return [[...state.z], [...state.output]];
            }})()""")
            start[control.dimension] = value
            assert np.allclose(z, start, atol=1e-3)
            start = z
            assert np.abs(np.array(output) - decoded(trained, [z]).ravel()).max() < ROUNDED


def test_the_arrow_keys_move_a_slider(tab, made):
    tab.run("playground.panels.mnist.choose(0)")
    control = made[1]["mnist"][0].controls[2]
    tab.run("playground.panels.mnist.sliders[2].input.focus()")
    before = tab.run(f"playground.settled().then(() => playground.panels.mnist.state.z[{control.dimension}])")
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "ArrowRight"):
        tab.press(key)
    after = tab.run(f"playground.settled().then(() => playground.panels.mnist.state.z[{control.dimension}])")
    assert after - before == pytest.approx((control.high - control.low) / 20, rel=0.05)
    tab.press("End")
    assert (
        tab.run(f"playground.settled().then(() => playground.panels.mnist.state.z[{control.dimension}])")
        >= control.high - 1e-3
    )


@pytest.mark.parametrize("style", ["folk", "bach"])
def test_moving_a_measure_decodes_as_torch_does(tab, made, style):
    trained, _ = made[1][style]
    tab.run(f"(playground.panels.melody.pickStyle('{style}'), playground.settled())")
    for scope, number, share in (("null", 2, 0.9), ("1", 0, 0.1), ("3", 3, 0.7), ("null", 1, 0.2)):
        found = tab.run(f"""(async () => {{
            const panel = playground.panels.melody, {{ input }} = panel.sliders[{number}];
            panel.select({scope});
            await playground.settled();
            input.value = Number(input.min) + {share} * (input.max - input.min);
            input.dispatchEvent(new Event("input", {{ bubbles: true }}));
            await playground.settled();
            const codes = [0, 1, 2, 3].map(panel.code), answers = codes.map((z) =>
                playground.decoders.{style}(z));
            return {{ codes, measures: panel.state.measures,
                logits: answers.map((answer) => answer.logits.map((row) => [...row])),
                attributes: panel.state.measures.map(musicAttributes) }};
        }})()""")
        logits = decoded(trained, found["codes"])
        measures = trained.vocabulary.decode(logits.argmax(-1))
        assert np.abs(np.array(found["logits"]) - logits).max() < NEAR
        assert np.array_equal(found["measures"], measures)
        assert np.allclose(found["attributes"], music.attributes(measures), atol=1e-6)


def test_the_page_checks_itself(tab):
    results = tab.run("(playground.check(), playground.check())")
    assert set(results) == {"mnist", "dsprites", "folk", "bach", "mnist-beside", "folk-beside"}
    for result in results.values():
        assert result["worst"] < ROUNDED and result["differing"] == 0 and result["codes"] >= 9
    said = tab.run(
        "new Promise(done => setTimeout(() => done(document.getElementById('verdict').textContent), 1500))"
    )
    assert "differ from PyTorch by at most" in said


def test_it_plays_and_stops(tab):
    """Notes are scheduled on the audio clock, measure after measure, until it is stopped."""
    heard, head, label = tab.run("""(async () => {
        const { player } = playground.panels.melody, button = document.querySelector("button.play");
        const heard = [], sound = player.sound;
        player.sound = function (...note) { heard.push(note); return sound.apply(this, note); };
        button.click();
        player.beatsPerMinute = 6000;
        await new Promise((done) => setTimeout(done, 700));
        const head = player.now(), label = button.textContent;
        button.click();
        delete player.sound;
        return [heard, head, label + button.textContent];
    })()""")
    assert label == "■ Stop▶ Play"
    assert len(heard) > 8 and all(55 <= pitch <= 84 and seconds > 0 for pitch, _, seconds in heard)
    assert [at for _, at, _ in heard] == sorted(at for _, at, _ in heard)
    assert head is None or 0 <= head <= 4 * 48
    assert not tab.run("playground.panels.melody.player.playing")


@pytest.mark.parametrize("name", ["mnist", "mnist-beside", "folk", "bach", "folk-beside"])
def test_encoding_is_torchs(tab, made, name):
    dataset = name.partition("-")[0]
    trained = run(dataset, 7 + (dataset == "folk"))[0] if "-" in name else made[1][dataset][0]
    x = made[1][dataset][1].test.x[:12]
    expected, inputs = trained.encode(x)[0], x.reshape(len(x), -1).astype(float) / 255
    if dataset != "mnist":
        inputs = trained.vocabulary.encode(x)
    found = tab.run(f"playground.codecs['{name}'].encode({inputs.tolist()})")
    scale = np.abs(expected).max()
    assert np.abs(np.array(found) - expected).max() < (0.06 if dataset == "mnist" else NEAR) * scale


def test_thirty_tunes_come_back_as_torch_has_them(tab, made):
    """Encoded and decoded in the page, as its weights have it: 99.9 % of the ticks at least."""
    trained, data = made[1]["folk"]
    tunes = np.concatenate([data.test.x[:64]] * 4)[:240]  # 30 tunes of 8 measures
    tunes = np.where(tunes >= 0, tunes + np.arange(240)[:, None] % 8 - 2, tunes).astype(np.int16)
    found = tab.run(f"""playground.codecs.folk.encode({trained.vocabulary.encode(tunes).tolist()}).map((z) =>
        playground.decoders.folk(z).tokens)""")
    expected = trained.vocabulary.encode(trained.decode(trained.encode(tunes)[0]))
    assert (np.array(found) == expected).mean() >= 0.999


def test_digits_are_measured_as_the_project_measures_them(tab):
    digits = np.zeros((4, 28, 28), np.uint8)
    for place, strokes in enumerate(
        ([(5, 6), (20, 6), (9, 24)], [(14, 3), (13, 25)], [(6, 6), (22, 22), (22, 6)])
    ):
        image = Image.new("L", (280, 280))
        ImageDraw.Draw(image).line([(10 * x, 10 * y) for x, y in strokes], 255, 24, joint="curve")
        digits[place] = pictures.digit(np.array(image))
    found = tab.run(f"{(digits.reshape(4, -1) / 255).tolist()}.map(digitAttributes)")
    expected = digits_morphology(digits)
    assert found[3] == [None] * 6 and np.isnan(expected[3]).all()
    assert np.allclose(np.array(found[:3], float), expected[:3], atol=1e-4)


def test_shapes_are_measured_as_the_project_measures_them(tab):
    """Scale, x and y to the same numbers; shape and orientation with templates in 16 levels of grey."""
    random = np.random.default_rng(3)
    factors = np.stack([random.integers(0, count, 24) for count in dsprites.COUNTS], axis=1)
    images = dsprites.render(factors).astype(float)
    found = tab.run(f"{images.reshape(24, -1).tolist()}.map(shapeAttributes)")
    found, expected = np.array(found, float), sprites.estimate(images)
    same = found[:, 0] == expected[:, 0]
    assert same.mean() > 0.9 and np.allclose(
        found[same][:, [1, 3, 4]], expected[same][:, [1, 3, 4]], atol=0.03
    )
    period = np.take(sprites.PERIODS, expected[:, 0].astype(int))
    turned = np.abs(sprites.angle_difference(found[:, 2], expected[:, 2], period))
    assert (turned[same] < 0.17).mean() > 0.9  # one step of 9 degrees


# ---------------------------------------------------------------- melodies of one's own

OPTIONS = [{}, {"monophonic": True}, {"quantize": True}, {"transpose": True}, {"part": "1"}, {"tune": "1"},
           {"monophonic": True, "quantize": True, "transpose": True}]  # fmt: skip
READ = """(async () => {
    const found = [];
    for (const options of %s) {
        try {
            const melody = await readMelody(%s, bytesOf("%s"), { lowest: 55, pitches: 30 }, options);
            const { measures, shift, adapted, transpose, composer, signs, tempo } = melody;
            const by = -shift - transpose;
            const key = melody.key ?? estimateKey(transposed(measures, by)), { alters, tonic, mode,
                estimated } = key;
            const scale = key.scale(measures.flat().filter((symbol) => symbol >= 0).map((pitch) =>
                pitch + by));
            const beside = Object.entries(signs).map(([m, own]) =>
                [Number(m), own.chords, own.lyrics, own.keys.map(([at]) => at),
                    own.opens, own.closes, own.ending, own.stops]);
            found.push([measures, shift, adapted, composer, beside, transpose, tempo,
                Object.values(alters), tonic, mode, estimated, 
                [...scale].map((pitch) => (pitch - by + 144) %% 12).sort((a, b) => a - b)]);
        } catch (error) {
            if (!(error instanceof Refusal)) throw error;
            found.push(error.message);
        }
    }
    return found;
})()"""


def as_read(tab, name, content, options):
    return tab.run(READ % (json.dumps(options), json.dumps(name), base64.b64encode(content).decode()))


def as_expected(path, options):
    try:
        melody = read_melody(path, music.Vocabulary(), **options)
    except EditError as error:
        return str(error)
    key, source = melody.key, melody.source
    beside = [
        [
            m,
            *([list(one) for one in some] for some in (own.chords, own.lyrics)),
            [at for at, _ in own.keys],
            own.opens,
            own.closes,
            own.ending,
            own.stops,
        ]
        for m, own in sorted(beside_of(source.score.parts[source.place]).items())
        if any((own.chords, own.lyrics, own.keys, own.opens, own.closes, own.ending, own.stops))
    ]
    how = [melody.measures.tolist(), melody.shift, list(melody.adapted), source.score.composer, beside]
    signature = [list(key.alters), key.tonic, key.mode, key.estimated, sorted(melody.scale)]
    return [*how, melody.transpose, source.score.tempo, *signature]


@pytest.mark.parametrize("ending", [".abc", ".musicxml", ".mid"])
def test_a_change_of_key_is_said_in_the_same_words(tab, tmp_path, ending):
    path = tmp_path / f"keys{ending}"
    path.write_bytes(keys_change(ending))
    assert as_read(tab, path.name, path.read_bytes(), [{}]) == [as_expected(path, {})]
    script = """(async () => {
        const panel = playground.panels.melody, said = () => panel.root.querySelector(
            "#melody-in-key").parentNode.textContent;
        await panel.read(NAME, bytesOf(CONTENT));
        const found = [said()];
        panel.pickItem(0);
        return [...found, said()];
    })()"""
    content = base64.b64encode(path.read_bytes()).decode()
    said = tab.run(script.replace("NAME", json.dumps(path.name)).replace("CONTENT", json.dumps(content)))
    note = "the key changes in measure 3; --in-key keeps to C major"
    tune = read_melody(path, music.Vocabulary())
    assert said[0].partition("scale; ")[2] == tune.in_key().partition("scale; ")[2] and note in said[0]
    assert "the key changes" not in said[1]


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.name)
def test_a_file_is_read_as_on_the_command_line(tab, path):
    """The same measures, changes and key, and the same words for what is refused."""
    found = as_read(tab, path.name, path.read_bytes(), OPTIONS)
    assert found == [as_expected(path, options) for options in OPTIONS]
    assert path.name.startswith("02") or any(not isinstance(one, str) for one in found)


HEAD = "X:1\nM:4/4\nL:1/4\nK:C\n"
XML = """<score-partwise xmlns='urn:x'><part id='P'><measure number='7'>
<attributes><divisions>1</divisions><key><key-step>B</key-step><key-alter>-1</key-alter></key>
<time><beats>4</beats><beat-type>4</beat-type></time></attributes>
<note><pitch><step>B</step><alter>-1</alter><octave>4</octave></pitch><duration>4</duration></note>
</measure></part></score-partwise>"""
LYRICS = {0: Beside([(0, "C")], lyrics=[(0, 1, "oh"), (12, 1, "to\u2011day-"), (24, 1, "la_"), (0, 2, "é")])}
TWO = np.array([[60, *[-1] * 5] + [62, *[-1] * 5] + [64, *[-1] * 5] + [65, *[-1] * 5]] * 2, np.int16)
LYRICS[1] = Beside([(6, "Bbm7b5/F")], lyrics=[(36, 1, "end"), (0, 2, "fin")])
ODD = {
    "empty.abc": "",
    "no.txt": "x",
    "header.abc": "X:1\nT:x\n",
    "metre.abc": "X:1\nM:3/4\nL:1/8\nK:G\nGABcde|",
    "three.abc": "X:1\nK:C\nCDEF|\n\nX:2\nT:B\nK:D\nCDEF|\n\nX:3\nK:G\nGABc|",
    "chord.abc": f"{HEAD}[CEG]2[DF]2|",
    "wide.abc": f"{HEAD}C,,C,Cc''|",
    "low.abc": f"{HEAD}E,,F,,G,,^D,|".replace("K:C", "K:Em"),
    "bad.abc": f"{HEAD}CD$&&%%EF 5|",
    "key.abc": "X:1\nK:Q\nCDEF|",
    "long.abc": f"{HEAD}C5DEF|",
    "percussion.abc": f"{HEAD}CDEF|".replace("K:C", "K:C perc"),
    "broken.abc": f"{HEAD}C>D/E|",
    "no.mid": "no MIDI",
    "cut.mid": "MThd\0\0\0\6\0\0\0\1\1\x60MTrk\0\0\0\x20\0\x10",
    "html.xml": "<html/>",
    "no.mxl": "PK\3\4",
    "bar.xml": XML.replace("<duration>4", "<duration>x"),
    "steps.musicxml": XML,
    "words.abc": WORDS,
    "tempo.abc": f"{HEAD}CDEF|".replace("K:C", "Q:3/8=61.255\nK:C"),
    "tempo.musicxml": XML.replace("<note>", "<sound tempo='92.500000'/><note>"),
    "tempi.musicxml": XML.replace("<note>", "<sound tempo='92.5.1'/><note>"),
    "jump.abc": f"{HEAD}CDEF|GABc!D.C.!|",
    "words.musicxml": XML.replace(
        "</note>", "<lyric><syllabic>begin</syllabic><text>oh</text></lyric></note>"
    ).replace(
        "<note>",
        "<harmony><root><root-step>B</root-step><root-alter>-1</root-alter></root><kind>minor</kind></harmony>"
        "<direction><direction-type><words>Da capo</words></direction-type></direction><note>",
    ),
}


def test_words_and_chords_of_midi_are_read_as_on_the_command_line(tab, tmp_path):
    path = tmp_path / "sung.mid"
    scores.write(path, TWO, "Sung", signs=LYRICS)
    karaoke = MidiFile(path)
    for message, text in zip(
        [m for m in karaoke.tracks[0] if m.type == "lyrics"], ["\\Oh", "la- ", "/{x", "x\r"], strict=True
    ):
        message.text = text
    for message, text in zip(
        [m for m in karaoke.tracks[0] if m.type == "marker"], ["%D#", "Coda"], strict=True
    ):
        message.text = text
    karaoke.save(tmp_path / "karaoke.mid")
    for name in ("sung.mid", "karaoke.mid"):
        found = as_read(tab, name, (tmp_path / name).read_bytes(), [{}])
        assert found == [as_expected(tmp_path / name, {})] and found[0][4][0][2], name


@pytest.mark.parametrize("name", ODD)
def test_what_cannot_be_read_is_refused_in_the_same_words(tab, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(ODD[name].encode())
    options = [{}, {"tune": "2"}, {"part": "9"}, {"transpose": True}]
    found, expected = (
        as_read(tab, name, ODD[name].encode(), options),
        [as_expected(path, given) for given in options],
    )
    if name == "no.mxl":  # what the unpacker itself says differs
        found, expected = ([one.partition("(")[0] for one in some] for some in (found, expected))
    assert found == expected


TUNE = (
    "X:1\nT:The House\nM:4/4\nL:1/8\nQ:1/4=132\nK:Dm\n"
    + "DEFG A2d2|^cA (3ABA G2F2|(3DEF A4-A2-|A2 z2 B2_B2|" * 8
)


def opened(tab, text=TUNE):
    """Put a tune into the page as if it had been pasted; what the page says of it."""
    return tab.run(f"""(async () => {{
        const panel = playground.panels.melody;
        panel.pickStyle("folk");
        const box = panel.root.querySelector("textarea");
        box.value = {json.dumps(text)};
        [...panel.root.querySelectorAll("button")].find((one) => one.textContent === "Read it").click();
        await new Promise((done) => setTimeout(done, 50));
        await playground.settled();
        return {{ title: panel.item().title, measures: panel.state.measures,
            milliseconds: panel.state.milliseconds,
            fault: panel.root.querySelector(".refusal").textContent, tempo: panel.player.beatsPerMinute,
            key: String(panel.item().key), buttons: panel.strip.row.children.length }};
    }})()""")


def test_a_pasted_tune_can_be_edited_whole_and_in_part(tab):
    seen = opened(tab)
    assert (seen["title"], seen["key"], seen["tempo"], seen["fault"]) == ("The House", "D minor", 132, "")
    assert seen["buttons"] == len(seen["measures"]) == 32
    edited = tab.run("""(async () => {
        const panel = playground.panels.melody, { field } = panel.strip, moves = [];
        for (const places of ["3-5, 9", "", "40"]) {
            field.value = places;
            field.dispatchEvent(new Event("change"));
            await playground.settled();
            panel.sliders[2].moveTo(Number(panel.sliders[2].input.max));
            await playground.settled();
            moves.push([field.getAttribute("aria-invalid"), panel.state.shifts.map((row) => row[2] !== 0),
                panel.state.measures]);
        }
        return moves;
    })()""")
    (fine, some, measures), (_, every, _), (wrong, *_) = edited
    assert (fine, wrong) == ("false", "true") and all(every)
    assert [m for m, moved in enumerate(some) if moved] == [2, 3, 4, 8]
    kept = [m for m in range(32) if m not in (2, 3, 4, 8)]
    assert [measures[m] for m in kept] == [seen["measures"][m] for m in kept]


def test_a_refusal_offers_what_would_help(tab):
    seen = opened(tab, "X:1\nM:4/4\nL:1/4\nK:C\n[CE]2[DF]2|")
    assert "--monophonic keeps the highest note" in seen["fault"]
    notes = tab.run("""(async () => {
        const panel = playground.panels.melody;
        [...panel.root.querySelectorAll(".refusal button")].find((one) =>
            one.textContent === "Keep the highest voice").click();
        await new Promise((done) => setTimeout(done, 50));
        await playground.settled();
        return [panel.item().original.flat().filter((symbol) => symbol >= 0),
            panel.root.querySelector(".refusal").textContent];
    })()""")
    assert notes == [[64, 65], ""]


def test_a_file_with_one_part_offers_no_choice_of_parts(tab):
    opened(tab, "X:1\nM:4/4\nL:1/4\nK:C\n[CE]2[DF]2|")
    offered = """[...playground.panels.melody.root.querySelectorAll(".refusal button")].map((one) =>
        one.textContent)"""
    assert tab.run(offered) == ["Keep the highest voice"]
    opened(tab, "X:1\nM:4/4\nL:1/4\nK:C\nV:1\nCDEF|\nV:2\nC4|")
    assert tab.run(offered) == ["1 (1)", "2 (2)"]


def test_what_is_saved_can_be_read_again(tab, tmp_path):
    """MIDI, MusicXML and ABC hold the same notes, and the title, key and tempo of the tune."""
    seen = opened(tab, TUNE.replace("DEFG", "D,E,F,G,"))  # too low for the model
    assert "--transpose" in seen["fault"]
    files = tab.run("""(async () => {
        const panel = playground.panels.melody;
        panel.root.querySelector(".refusal button").click();
        await new Promise((done) => setTimeout(done, 50));
        panel.choose(new Set([1, 2]));
        await playground.settled();
        panel.sliders[0].moveTo(Number(panel.sliders[0].input.max));
        await playground.settled();
        const { shift, original } = panel.item();
        return { shift, notes: toNotes(asWritten(panel.state.measures, original, shift)).map((n) =>
            [n.pitch, n.start, n.length]),
            files: Object.entries(panel.files()).map(([ending, [content]]) => [ending,
                typeof content === "string" ? content
                : base64(content)]) };
    })()""")
    assert files["shift"] == 5
    for ending, content in files["files"]:
        raw = base64.b64decode(content) if ending == ".mid" else content.encode()
        score = scores.read_score(raw, ending)
        assert score.title == "The House" and score.tempo == pytest.approx(132, abs=0.01)
        assert str(score.parts[0].key) == "D minor"
        again = notation.notes(scores.measures(score.parts[0]))
        assert [(p, s, e - s) for p, s, e in again] == [tuple(note) for note in files["notes"]], ending
    (tmp_path / "again.abc").write_text(dict(files["files"])[".abc"], encoding="utf-8")
    assert len(read_melody(tmp_path / "again.abc", music.Vocabulary(), transpose=True).measures) == 32


def test_what_stands_beside_the_notes_is_saved(tab, tmp_path):
    """Composer, chord symbols, lyrics, repeats and endings, as the command line writes them."""
    text = WORDS.replace("K:G", "C:Trad. & <me>\nK:D phr ^f").replace("a6 z2|]", "a6 z2||a8|]")
    (tmp_path / "pasted.abc").write_text(text)
    tune = read_melody(tmp_path / "pasted.abc", music.Vocabulary())
    opened(tab, text)
    saved = """(async () => {
        const panel = playground.panels.melody;
        panel.item().source = null; // written anew, not put back into its file
        %s
        await playground.settled();
        const { ".abc": [abc], ".musicxml": [xml], ".mid": [mid] } = panel.files();
        return [panel.state.measures, { ".abc": abc, ".musicxml": xml }, base64(mid)];
    })()"""
    fewer = "panel.select(0); await playground.settled(); panel.sliders[2].moveTo(%s);"
    for move in ("", fewer % "Number(panel.sliders[2].input.min)"):
        measures, saves, mid = tab.run(saved % move)
        new = tune.render(".mid", np.array(measures, np.int16))[0]
        found, expected = (midi.read(content).parts[0].signs for content in (base64.b64decode(mid), new))
        assert found == expected and found.lyrics and found.chords
        for ending, other in ((".abc", ".musicxml"), (".musicxml", ".abc")):
            content = tune.render(other, np.array(measures, np.int16))[0]
            if other == ".abc":  # written anew, not put back into its file
                score = tune.source.score
                signs = beside_of(score.parts[0])
                new = tune.written(np.array(measures, np.int16))
                content = scores.render(".abc", new, tune.title, None, 0, tune.key, score.composer, signs)
            found, expected = (
                scores.read_score(saves[ending].encode(), ending),
                scores.read_score(content, other),
            )
            assert found.composer == expected.composer == "Trad. & <me>"
            assert found.parts[0].signs == expected.parts[0].signs and found.parts[0].signs.lyrics, (
                ending,
                move,
            )
            assert found.parts[0].key.alters == tune.key.alters
            assert notation.notes(scores.measures(found.parts[0])) == notation.notes(
                scores.measures(expected.parts[0])
            )


@pytest.mark.parametrize(
    ("field", "tempo"),
    [("260", 260), ("30", 30), ("92.5", 92.5), ("92.125", 92.13), (None, 110), ("9999", 1000)],
)
def test_the_tempo_is_saved_as_the_file_has_it(tab, tmp_path, field, tempo):
    """In the project's own digits, also where the slider does not reach; of a tune without one the page's,
    not the last tune's. In the tune's own file it stays as it is written, until it is moved."""
    opened(tab, TUNE.replace("132", "77"))
    text = TUNE.replace("Q:1/4=132\n", f"Q:1/4={field}\n" if field else "")
    opened(tab, text)
    saved = """(() => {
        const panel = playground.panels.melody, files = panel.files(), said = (ending, found) =>
            found.exec(files[ending][0])[1];
        return [panel.player.beatsPerMinute, panel.snapshot().tempo, readMidi(files[".mid"][0]).tempo,
            ...[/per-minute>(.*?)</, /sound tempo="(.*?)"/].map((found) => said(".musicxml", found)),
            files[".abc"][0]];
    })()"""
    *found, patched = tab.run(saved)
    assert [float(one) for one in found] == pytest.approx([tempo] * 5, abs=0.01)
    assert found[3:] == [f"{tempo:g}"] * 2 and patched == text
    (tmp_path / "tune.abc").write_text(text)
    tune = read_melody(tmp_path / "tune.abc", music.Vocabulary())
    given = min(tune.source.score.tempo or 110, 1000)  # as the page has it
    endings = (".mid", ".musicxml")
    mid, xml = (scores.render(ending, tune.measures, tempo=given) for ending in endings)
    assert midi.read(mid).tempo == found[2]
    assert f"<per-minute>{found[3]}<".encode() in xml and f'tempo="{found[4]}"'.encode() in xml
    tab.run("""(() => {
        const slider = document.getElementById("melody-tempo");
        slider.value = 150;
        slider.dispatchEvent(new Event("input"));
    })()""")
    *found, patched = tab.run(saved)
    assert [float(one) for one in found] == pytest.approx([150] * 5, abs=0.01)
    assert patched.encode() == tune.render(".abc", tune.measures, 150)[0] and "\nQ:1/4=150\n" in patched


def test_what_is_lost_of_midi_and_of_incomplete_bars_is_said(tab, tmp_path):
    """As the command line says it; nothing of what the page itself saves."""
    plain = scores.render(".mid", TWO)
    changed = {
        "program_change": {"program": 40},
        "control_change": {"control": 64, "value": 127},
        "pitchwheel": {"pitch": 100},
    }
    files = [("a.mid", plain, "")]
    for kind, how in changed.items():
        file = MidiFile(file=io.BytesIO(plain))
        file.tracks[0].insert(0, Message(kind, **how))
        written = io.BytesIO()
        file.save(file=written)
        files.append(
            ("a.mid", written.getvalue(), "Saved as MIDI, the instrument, controllers and bends stay, and")
        )
    files.append(("a.mid", plain.replace(b"\x50", b"\x63"), "Saved as MIDI, the"))
    pick = b"X:1\nM:4/4\nL:1/4\nK:G\nD|GABc|d3:|\n"
    (tmp_path / "pick.abc").write_bytes(pick)
    tune = read_melody(tmp_path / "pick.abc", music.Vocabulary())
    words = "incomplete bars are written as full ones: measures 1, 3"
    assert tune.render(".mid", tune.measures)[1].endswith(f"; {words}")
    files += [
        ("pick.abc", pick, f"In the other formats, {words}."),
        ("a.abc", f"{HEAD}CDEF|GABc|".encode(), ""),
    ]
    content = [(name, base64.b64encode(raw).decode()) for name, raw, _ in files]
    found = tab.run(f"""(async () => {{
        const found = [], {{ melody }} = playground.panels;
        for (const [name, content] of {json.dumps(content)}) {{
            await melody.read(name, bytesOf(content));
            found.push([".refusal", ".sliders p.about"].map((one) =>
                melody.root.querySelector(one).textContent).join(""));
        }}
        melody.pickItem(0);
        return found;
    }})()""")
    assert [bool(one) for one in found] == [bool(said) for *_, said in files]
    assert all(one.startswith(said) for one, (*_, said) in zip(found, files, strict=True))


MARKED = ["~D", "{c}D", "!trill!D", "+trill+D", ".D", "TD", "(D)", "[DA]", '"^slow"D']
PLAIN = ["D", '"Em"D', "(3D/E/F/", "D/-D/", "y D !\n"]


def test_what_cannot_be_saved_is_said(tab):
    """Ornaments and the like, of the file that is open; not of one that has none."""
    files = [("a.abc", f"{HEAD}{beat}EFG|CDEF|", beat in MARKED) for beat in MARKED + PLAIN]
    trill, slur, tie = "<ornaments><trill-mark/></ornaments>", "<slur type='start'/>", "<tied type='start'/>"
    notations = [(f"<notations>{kind}</notations></note>", kind != tie) for kind in (trill, slur, tie)]
    files += [("a.xml", XML.replace("</note>", kind), marked) for kind, marked in notations]
    grace = "<note><grace/><pitch><step>C</step><octave>4</octave></pitch></note><note>"
    files += [("a.xml", XML, False), ("a.xml", XML.replace("<note>", grace), True)]
    script = """(async () => {
        const found = [], { melody } = playground.panels, said = () =>
            [".refusal", ".sliders p.about"].map((one) => melody.root.querySelector(one).textContent);
        for (const [name, text] of %s) {
            await melody.read(name, new TextEncoder().encode(text), { monophonic: true });
            found.push(said());
        }
        melody.pickItem(0);
        return [...found, said()];
    })()"""
    found = tab.run(script % json.dumps([one[:2] for one in files]))
    assert [fault for fault, _ in found] == [""] * len(found)
    assert ["keep their grace notes" in said for _, said in found] == [marked for *_, marked in files] + [
        False
    ]


# ---------------------------------------------------------------- back into the file it was read from

VOICES = """X:3
T:Two voices
M:4/4
L:1/8
Q:1/4=80
V:1 name="Tune" clef=treble
V:2 transpose=-12
K:D
V:1
|:~D2 {g}F>A !trill!d2 (3AFA|[L:1/4]"Bm"B !f!c d- "A7"d|1 .e(^def) :|2 e4|]
w: one two * three | four five six | se-ven e-leven | end
w: eins zwei
V:2
|:D4 F4|E8|A8:|A8|]
"""
TIED = """X:1
T:Ties % and a comment
C:Trad.
M:C
L:1/8
K:Em
%%propagate-accidentals octave
!segno!E2|"^slow"[E2G2]- "Em"B4 (e2-|e2 ^d2) z2 =d2-|d8-|d2 !coda!^c^^c ST_B4|
+trill+E8 | Z | [K:G]G4 [M:2/4]x4 !D.S.!| G4 | A4 :|
w:a b c
P:B
GABc dBAG | \
e>f g<a "C/E"b2 z2|]
"""
NOTE = (
    "<note><pitch><step>{}</step><octave>{}</octave></pitch><duration>{}</duration><voice>1</voice>{}</note>"
)
#: A pick-up, grace notes, slurs, ties over bar lines, other divisions and a key within, words, a second part.
BARS = f"""<score-partwise><work><work-title>Bars &amp; more</work-title></work>
<part-list><score-part id="P1"><part-name>Tune</part-name></score-part>
<score-part id="P2"><part-name>Bass</part-name></score-part></part-list><part id="P1">
<measure number="0" implicit="yes"><attributes><divisions>1</divisions><key><fifths>2</fifths></key>
<time><beats>4</beats><beat-type>4</beat-type></time><transpose><chromatic>-2</chromatic></transpose>
</attributes><direction><direction-type><metronome><beat-unit>half</beat-unit><per-minute>c. 45</per-minute>
</metronome></direction-type><sound tempo="90"/></direction>
{NOTE.format("D", 5, 1, "<lyric><syllabic>begin</syllabic><text>Oh</text></lyric>")}</measure>
<measure number="1"><barline location="left"><bar-style>heavy-light</bar-style><repeat direction="forward"/>
</barline><harmony><root><root-step>G</root-step></root><kind>major</kind></harmony>
{NOTE.format("E", 5, 2, "<notations><slur type='start'/></notations>")}
<direction placement="below"><direction-type><dynamics><p/></dynamics></direction-type><sound dynamics="40"/>
</direction><note><grace/><pitch><step>G</step><octave>5</octave></pitch><voice>1</voice></note>
{NOTE.format("F", 5, 1, "<notations><slur type='stop'/></notations><lyric><text>no</text></lyric>")}
<harmony><root><root-step>A</root-step></root><kind text="7">dominant</kind><offset>0</offset></harmony>
<note><pitch><step>D</step><octave>5</octave></pitch><duration>1</duration><tie type="start"/><voice>1</voice>
<notations><tied type="start"/><fermata/></notations></note><backup><duration>3</duration></backup><harmony>
<root><root-step>E</root-step></root><kind>minor</kind></harmony><forward><duration>3</duration></forward>
</measure>
<measure number="2"><note><pitch><step>D</step><octave>5</octave></pitch><duration>2</duration>
<tie type="stop"/><voice>1</voice><notations><tied type="stop"/></notations></note><attributes>
<divisions>2</divisions><key><fifths>-1</fifths></key></attributes><note><rest/><duration>4</duration></note>
<sound tempo="60.5"/><barline location="right"><repeat direction="backward"/></barline></measure>
<measure number="3">{NOTE.format("B", 4, 6, "")}<!-- what? --><note><rest/><duration>2</duration></note>
</measure><measure number="4"/></part><part id="P2">
<measure number="0" implicit="yes"><note><rest/><duration>1</duration></note></measure>
<measure number="1">{NOTE.format("C", 3, 4, "<notations><technical/></notations>")}</measure>
<measure number="2"/><measure number="3"/>
<measure number="4">{NOTE.format("C", 3, 4, "")}</measure></part></score-partwise>"""


def played(division=480, kind=1):
    """A MIDI file as people play: late, joined or detached, each note with a loudness of its own; with words,
    controllers, bends, a drum, a second tempo, and a pick-up."""
    first = [MetaMessage("track_name", name="Płayed".encode().decode("latin-1")), MetaMessage("set_tempo")]
    first += [MetaMessage("time_signature", numerator=1), MetaMessage("key_signature", key="Bb")]
    first += [MetaMessage("time_signature", time=division), Message("sysex", data=[1, 2, 3])]
    first += [MetaMessage("set_tempo", tempo=434_782, time=6 * division), MetaMessage("text", text="%Gm7")]
    own = [Message("program_change", channel=2, program=40), Message("control_change", channel=2, control=7)]
    notes = [62, 65, 67, 65, 62, 67, 67, 69, 70, 74, 62, 60, 58]
    quarters = [1, 1, 0.5, 0.5, 2, 1, 1, 1 / 3, 1 / 3, 1 / 3, 1, 4, 1]
    for at, (pitch, length) in enumerate(zip(notes, quarters, strict=True)):
        ticks, late = round(length * division), at % 3 * division // 100
        own.append(MetaMessage("lyrics", text=f"{at} ", time=0))
        own.append(Message("note_on", channel=2, note=pitch, velocity=50 + at, time=late))
        own.append(Message("pitchwheel", channel=2, pitch=at * 10, time=ticks // 4))
        if at == 4:
            own += [Message("note_on", channel=9, note=35), Message("note_off", channel=9, note=35, time=0)]
        own.append(Message("note_off", channel=2, note=pitch, velocity=9, time=ticks - ticks // 4 - late))
    tracks = [MidiTrack(first), MidiTrack(own)] if kind else [MidiTrack(first[:5] + own)]
    written = io.BytesIO()
    MidiFile(type=kind, ticks_per_beat=division, tracks=tracks).save(file=written)
    return written.getvalue()


OWN = {
    "played.mid": played(), "rough.mid": played(30), "one.mid": played(96, 0), "named.kar": played(24),
    "bars.musicxml": BARS, "steps.xml": XML, "song.musicxml": SCORE,
    "bars.mxl": packed(BARS.encode(), ".mxl"),
    "spaced.musicxml": BARS.replace("<score-partwise>", "<score-partwise xmlns='urn:x' version='4.0'>"),
    "silent.musicxml": BARS.replace(' tempo="90"', "").replace(' tempo="60.5"', ""),
    "dotted.musicxml": BARS.replace("<offset>0", "<offset>x"),
    "tempo.abc": SONG.replace("Q:1/4=90", "Q:Lento"), "low.abc": SONG.replace("K:G\n", "K:G octave=-2\n"),
    "song.abc": SONG, "words.abc": WORDS, "voices.abc": VOICES, "tied.abc": TIED,
    "verse.abc": "X:1\nM:4/4\nL:1/4\nK:C\nCDEF|GABc|\n% verse\nw: a b c d e f g h\nCDEF|\nw: i j k l\n",
    "tunes.abc": f"L:1/8\nM:4/4\n\nX:1\nK:C\n{{g}}c8|\n\n{SONG.replace('X:1', 'X:2')}\n{WORDS}",
}  # fmt: skip
READS = [{}, {"part": "1"}, {"part": "2"}, {"tune": "2"}]
READS += [one | {"monophonic": True, "quantize": True, "transpose": True} for one in READS]
PATCHES = """(async () => {
    const panel = playground.panels.melody, slider = document.getElementById("melody-tempo");
    panel.pickStyle("folk");
    await panel.read(NAME, bytesOf(CONTENT), OPTIONS);
    const ending = panel.item().source.ending, found = { ending, saved: [] };
    const save = async (tempo = null) => {
        await playground.settled();
        const [content, , fault = null] = panel.files()[ending];
        found.saved.push([panel.state.measures, tempo,
            typeof content === "string" ? content : base64(content), fault]);
    };
    const to = async (input, value, tempo) => {
        input.value = value;
        input.dispatchEvent(new Event("input"));
        await save(tempo);
    };
    await save();
    for (const m of panel.item().original.keys()) {
        panel.select(m);
        await playground.settled();
        const { input } = panel.sliders[m % 4];
        await to(input, m % 3 ? input.max : input.min);
    }
    await to(slider, 150, 150);
    const { source, original, shift } = panel.item(), before = transposed(original, -shift);
    found.made = ROWS.map((rows) => {
        const after = before.map((row, m) => rows[m % rows.length] ?? row);
        try {
            const content = patched(source, before, after, null);
            return [after, typeof content === "string" ? content : base64(content), null];
        } catch (error) {
            if (!(error instanceof UnkeptError || error instanceof TuneError)) throw error;
            return [after, null, error.message];
        }
    });
    panel.pickItem(0);
    return found;
})()"""


def rows_of_notes(seed=3):
    """Measures to put in, by turns: of few notes and of many, and of silence; None: the tune's own."""
    random = np.random.default_rng(seed)
    found = np.full((40, 24), music.CONTINUE)
    for row in found:
        ticks = random.permutation(24)[: random.integers(1, 9)]
        row[ticks] = np.where(
            random.random(len(ticks)) < 0.2, music.REST, random.integers(55, 85, len(ticks))
        )
        row[0] = row[0] if row[0] >= 0 or random.random() < 0.4 else music.REST
    pool = found.tolist()
    each = [[None] * place + [row] + [None] * (7 - place) for place, row in enumerate(pool[:8])]
    silence = [[music.REST, *[music.CONTINUE] * 23]]
    return [
        *each,
        silence,
        pool[8:9],
        [*pool[9:12], None],
        [None, pool[12], pool[13]],
        [pool[14], None],
        pool[15:],
    ]


def same_file(ending, found, expected):
    """ABC as text, MusicXML as a tree, MIDI as its events."""
    if ending == ".abc":
        return found == expected.decode()
    if ending == ".musicxml":  # the page keeps a namespace, the command line takes it off
        plain = [re.sub(r" xmlns=(['\"]).*?\1", "", text) for text in (found, expected.decode())]
        return len({canonicalize(text, strip_text=True) for text in plain}) == 1
    files = [MidiFile(file=io.BytesIO(content)) for content in (base64.b64decode(found), expected)]
    one, other = ([file.type, file.ticks_per_beat, *map(list, file.tracks)] for file in files)
    return one == other


def kept_or_why(render, *given):
    """What the command line writes into the file, or why it cannot."""
    try:
        return render(*given), None
    except ValueError as error:  # UnkeptError, TuneError; a number that no reader looked at
        return None, str(error)


@pytest.mark.parametrize("name", [*OWN, *(path.name for path in INPUTS)])
def test_a_file_is_patched_as_on_the_command_line(tab, tmp_path, name):
    """Every bar without an edit as it is written, in whatever measures and tempo the page has."""
    path = tmp_path / name
    content = OWN.get(name) or (ROOT / "tests" / "inputs" / "music" / name).read_bytes()
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    rows, many = rows_of_notes(), []
    tab.events.clear()
    for options in READS:
        try:
            tune = read_melody(path, music.Vocabulary(), **options)
        except EditError:
            continue
        script = PATCHES.replace("NAME", json.dumps(name)).replace("OPTIONS", json.dumps(options))
        script = script.replace("CONTENT", json.dumps(base64.b64encode(path.read_bytes()).decode()))
        seen = tab.run(script.replace("ROWS", json.dumps(rows)))
        ending, source, before = seen["ending"], tune.source, tune.written(tune.measures)
        family = next(some for some in (scores.MIDI, scores.MUSICXML, scores.ABC) if path.suffix in some)
        assert ending == family[0]
        asked = [(tune.written(np.array(now, np.int16)), tempo, *one) for now, tempo, *one in seen["saved"]]
        asked += [(np.array(now, np.int16), None, *one) for now, *one in seen["made"]]
        for now, tempo, found, fault in asked:
            expected, why = kept_or_why(source.patched, before, now, ending, tempo)
            if ending == ".mid" and not tempo and np.array_equal(before, now):
                expected = path.read_bytes()  # the command line puts its events in order
            assert fault == why, (options, fault, why)
            many.append(why is None)
            assert why or same_file(ending, found, expected), (options, found, expected)
        *_, unedited, fault = seen["saved"][0]
        whole = musicxml.unpacked(path.read_bytes())
        assert ending != ".mid" or base64.b64decode(unedited) == whole
        if ending == ".abc":
            whole = scores.tune_of(whole, options.get("tune")).encode()
        assert fault or same_file(ending, unedited, whole)
    refused = name.startswith(("01", "02", "dotted"))  # two staves; nothing with a pitch; an odd number
    assert tab.complaints() == []
    assert refused or sum(many) > 0.2 * len(many) > 4  # elsewhere some: a bar that changes its key, ..


SAVE = """(async () => {
    const { panels: { melody } } = playground, { click } = HTMLAnchorElement.prototype, said = () =>
        [...melody.root.querySelectorAll(".sliders p.about")].map((one) => one.textContent);
    melody.pickStyle("folk");
    await melody.read(NAME, bytesOf(CONTENT), { transpose: true });
    const notice = said()[0];
    melody.select(MEASURE);
    await playground.settled();
    melody.sliders[2].moveTo(Number(melody.sliders[2].input.max));
    await playground.settled();
    HTMLAnchorElement.prototype.click = () => {};
    const found = Object.values(FORMATS).map((text) => {
        [...melody.root.querySelectorAll("button")].find((one) => one.textContent === `Save ${text}`).click();
        return said()[1];
    });
    HTMLAnchorElement.prototype.click = click;
    const { source } = melody.item();
    melody.pickItem(0);
    await playground.settled();
    return [notice, found, said(), melody.files()[source.ending].length];
})()"""


def test_what_a_file_cannot_take_up_is_written_anew_and_said(tab):
    """When it is saved; not of other formats, nor of another tune."""
    odd = SONG.replace("d2 B2|[K:D]", "[K:D]d2 B2|")
    why = "a bar changes its key or its unit, or is one of several in a rest"
    said = f"The ABC file was written anew: what else is in yours cannot be kept ({why})."
    for measure, expected in ((5, ["", "", said]), (1, ["", "", ""])):
        script = SAVE.replace("NAME", '"song.abc"').replace("MEASURE", str(measure))
        script = script.replace("CONTENT", json.dumps(base64.b64encode(odd.encode()).decode()))
        notice, found, after, length = tab.run(script)
        kept, full = notice.split(" In the other formats, ")
        assert kept == (
            "Saved as ABC, measures you do not change keep their grace notes, ornaments, slurs and other "
            "marks; the other formats do not."
        )
        assert full == "incomplete bars are written as full ones: measures 1, 8."
        assert found == expected and after == ["", ""] and length == 2


def test_what_is_heard_is_what_is_put_into_the_file(tab):
    """The original while it is held, the other model where that is heard."""
    opened(tab, SONG)
    found = tab.run("""(async () => {
        const panel = playground.panels.melody, found = [], box = (name) => document.getElementById(name);
        const save = () => found.push(panel.files()[".abc"][0]);
        panel.select(1);
        await playground.settled();
        panel.sliders[2].moveTo(Number(panel.sliders[2].input.max));
        box("melody-beside").click();
        await playground.settled();
        save();
        box("melody-beside-heard").click();
        await playground.settled();
        save();
        panel.state.hearing = "original";
        save();
        panel.history.undo();
        panel.history.redo();
        await playground.settled();
        save();
        box("melody-beside-heard").click();
        box("melody-beside").click();
        await playground.settled();
        return found;
    })()""")
    now, beside, held, again = found
    assert held == SONG and len({now, beside, held}) == 3 and again in (now, beside)
    assert all('|"C"{f}e4- "G"e2 d2|1' in text and ".G2" not in text for text in (now, beside))


@pytest.mark.parametrize(
    ("name", "content"),
    [("song.abc", SONG.encode()), ("bars.musicxml", BARS.encode()), ("played.mid", played()),
     ("long.abc", f"{SONG}% {'x' * 20_000}\n".encode())],
)  # fmt: skip
def test_a_link_takes_the_file_along(tab, made, name, content):
    """Where it is short enough; elsewhere the link works without it, and that is said. Undo keeps it."""
    opening = f"""(async () => {{
        const panel = playground.panels.melody, text = "{base64.b64encode(content).decode()}";
        panel.pickStyle("folk");
        await panel.read("{name}", bytesOf(text), {{ part: "{"Tune" if name[0] == "b" else 1}" }});
        await playground.settled();
        const file = () => {{
            const [made] = panel.files()[panel.item().source.ending];
            return typeof made === "string" ? made : base64(made);
        }};
        const unedited = file();
        panel.select(1);
        await playground.settled();
        panel.sliders[2].moveTo(Number(panel.sliders[2].input.max));
        await playground.settled();
        const saved = file();
        document.getElementById("share").click();
        panel.history.undo();
        panel.history.undo();
        panel.history.redo();
        panel.history.redo();
        await playground.settled();
        await new Promise((done) => setTimeout(done, 50));
        return [location.href, unedited, saved, file()];
    }})()"""
    link, unedited, saved, redone = tab.run(opening)
    assert unedited != saved == redone and len(link) < 80_000
    tab.call("Page.navigate", url="about:blank")
    tab.call("Page.navigate", url=link)
    tab.wait("window.playground")
    again, fault, said = tab.run("""(async () => {
        await playground.settled();
        const panel = playground.panels.melody, [made, , why] = panel.files()[panel.item().source.ending];
        return [typeof made === "string" ? made : base64(made), why,
            panel.root.querySelector(".sliders p.about").textContent];
    })()""")
    assert fault is None
    if name == "long.abc":
        assert "{f}" in saved and "{f}" not in again and "are not saved here" in said
        assert said.startswith("The file itself is too long for a link")
        assert tab.run(opening)[1:3] == [unedited, saved]  # from the file itself again
    else:
        assert again == saved and said.startswith("Saved as ")
    tab.open(made[0])


def test_a_file_dropped_anywhere_is_opened(tab):
    """Words dragged into the text field are left to the browser."""
    found = tab.run("""(async () => {
        const file = new DataTransfer(), words = new DataTransfer(), { melody } = playground.panels;
        const drag = (type, dataTransfer) => {
            const event = new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer });
            document.querySelector("h1").dispatchEvent(event);
            return [event.defaultPrevented, melody.root.classList.contains("dropping")];
        };
        file.items.add(new File(["X:1\\nT:Dropped\\nM:4/4\\nL:1/4\\nK:G\\nGABc|"], "a.abc"));
        words.setData("text/plain", "GABc|");
        const seen = [drag("dragover", file), drag("drop", file), drag("drop", words)];
        await new Promise((done) => setTimeout(done, 50));
        return [melody.item().title, ...seen];
    })()""")
    assert found == ["Dropped", [True, True], [True, False], [False, False]]


def test_saved_files_are_named_in_any_script(tab):
    names = {
        "Чайка": "чайка",
        "荒城の月": "荒城の月",
        "ガ": "ガ",
        "Flöte": "flote",
        "Señor: No. 2": "senor-no-2",
    }
    script = """(() => {
        const { click } = HTMLAnchorElement.prototype, found = [];
        HTMLAnchorElement.prototype.click = function () { found.push(this.download); };
        for (const title of %s) saveFile("x", "text/plain", title, ".abc");
        HTMLAnchorElement.prototype.click = click;
        return found;
    })()"""
    assert tab.run(script % json.dumps([*names, "/"])) == [
        f"{name}.abc" for name in (*names.values(), "edited")
    ]


def test_in_key_chooses_as_the_command_line_does(tab, made):
    trained = made[1]["folk"][0]
    opened(tab)
    found = tab.run("""(async () => {
        const panel = playground.panels.melody;
        panel.sliders[1].moveTo(Number(panel.sliders[1].input.max) * 0.7);
        document.getElementById("melody-in-key").click();
        await playground.settled();
        const codes = panel.state.shifts.map((_, m) => panel.code(m));
        return { codes, measures: panel.state.measures, plain: panel.state.plain,
            said: panel.root.querySelector(".cost").textContent,
                label: document.getElementById("melody-in-key").parentElement.textContent };
    })()""")
    tab.run("(document.getElementById('melody-in-key').click(), playground.settled())")
    scale = {2, 4, 5, 7, 9, 10, 0, 1}  # D minor with the raised seventh, which the tune has
    expected = trained.decode(np.array(found["codes"]), symbols(trained, scale))
    assert (np.array(found["measures"]) == expected).mean() > 0.999
    assert (np.array(found["plain"]) == trained.decode(np.array(found["codes"]))).mean() > 0.999
    assert {pitch % 12 for measure in found["measures"] for pitch in measure if pitch >= 0} <= scale
    assert "D minor; 0 of its own 152 notes lie outside the scale" in found["label"]
    assert re.match(r"In key: \d+ notes? outside D minor avoided in the edited measures; ", found["said"])


# ---------------------------------------------------------------- what a tool needs


@pytest.mark.parametrize(
    "changed",
    ['{ ending: ".doc" }', "{ place: 9 }", '{ content: "no tune" }', "{ options: null }", "{ content: 7 }"],
)
def test_a_link_with_a_wrong_file_still_saves_the_tune(tab, changed):
    opened(tab)
    title, saved = tab.run(f"""(async () => {{
        const panel = playground.panels.melody, state = panel.snapshot();
        Object.assign(state.own.source, {changed});
        panel.restore(JSON.parse(JSON.stringify(state)));
        panel.select(1);
        panel.sliders[2].moveTo(Number(panel.sliders[2].input.max));
        await playground.settled();
        const found = Object.fromEntries(Object.entries(panel.files()).map(([ending, [content, , fault]]) =>
            [ending, [content.length, fault ?? null]]));
        return [panel.item().title, found];
    }})()""")
    assert title == "The House" and min(size for size, _ in saved.values()) > 500
    assert bool(saved[".abc"][1]) == (changed != '{ ending: ".doc" }')


def test_what_a_file_cannot_keep_is_said_at_once(tab):
    """Two staves in one part: nothing can be put back into them."""
    text = SCORE.replace("</attributes>", "<staves>2</staves></attributes>", 1)
    note = (
        "<note><pitch><step>C</step><octave>3</octave></pitch><duration>1</duration><staff>2</staff></note>"
    )
    text = text.replace("</measure>", f"<backup><duration>1</duration></backup>{note}</measure>", 1)
    said = tab.run(f"""(async () => {{
        const panel = playground.panels.melody, bytes = new TextEncoder().encode({json.dumps(text)});
        await panel.read("staves.musicxml", bytes, {{ part: "1" }});
        await playground.settled();
        return [...panel.root.querySelectorAll(".board .about")].map((one) => one.textContent).join();
    }})()""")
    assert "cannot be kept (its notes stand among those of other staves)." in said


def test_a_long_tune_is_saved_as_it_will_be_shown(tab):
    """Its measures are decoded over several frames: saving does not wait for them to be drawn."""
    opened(tab, TUNE)
    early, late = tab.run("""(async () => {
        const panel = playground.panels.melody;
        panel.choose(null);
        for (const one of panel.sliders) one.moveTo(Number(one.input.min) * 0.7);
        const early = panel.files()[".abc"][0];
        await playground.settled();
        return [early, panel.files()[".abc"][0]];
    })()""")
    assert early == late and early.count("|") > 30


def test_undo_redo_reset_and_a_link_that_holds_it_all(tab, made):
    opened(tab)
    found = tab.run("""(async () => {
        const { melody, mnist } = playground.panels, states = [];
        const note = async () => {
            await playground.settled();
            states.push(JSON.stringify([melody.snapshot(), mnist.snapshot()]));
        };
        await note();
        melody.select(3);
        await playground.settled();
        melody.sliders[0].moveTo(Number(melody.sliders[0].input.min));
        await note();
        mnist.choose(5);
        mnist.sliders[4].moveTo(Number(mnist.sliders[4].input.max));
        await note();
        melody.history.undo();
        await note();
        melody.history.redo();
        await note();
        document.getElementById("share").click();
        await new Promise((done) => setTimeout(done, 50));
        melody.sliders[0].row.querySelector("button").click();
        await note();
        return [states, location.href, melody.state.measures];
    })()""")
    states, link, measures = found
    assert (
        states[3] != states[2]
        and json.loads(states[3])[0]["shifts"] == {} == json.loads(states[5])[0]["shifts"]
    )
    assert states[4] == states[2] and "#" in link
    tab.call("Page.navigate", url="about:blank")
    tab.call("Page.navigate", url=link)
    again = """new Promise((done) => setTimeout(async () => {
        await playground.settled();
        const { melody, mnist } = playground.panels;
        done([JSON.stringify([melody.snapshot(), mnist.snapshot()]), melody.item().title]);
    }, 300))"""
    for _ in range(20):
        if tab.run("typeof playground") == "object":
            break
    state, title = tab.run(again)
    assert title == "The House"
    before, after = json.loads(states[2]), json.loads(state)
    assert after[0]["shifts"] == before[0]["shifts"] and after[0]["own"] == before[0]["own"]
    assert after[1]["item"] == 5 and np.allclose(after[1]["moves"], before[1]["moves"], atol=1e-3)
    tab.open(made[0])


def test_the_other_model_makes_the_same_move(tab, made):
    trained, other = made[1]["mnist"][0], run("mnist", 7)[0]
    z, shown, by = tab.run("""(async () => {
        const panel = playground.panels.mnist;
        panel.choose(2);
        panel.sliders[1].moveTo(Number(panel.sliders[1].input.max));
        document.getElementById("mnist-beside").click();
        await playground.settled();
        const { state } = panel, [control] = [playground.data.panels[0].controls[1]];
        const start = playground.data.panels[0].items[2].z[0],
            by = state.z[control.dimension] - start[control.dimension];
        const other = playground.data.panels[0].beside, shifts = [0, by, 0, 0, 0, 0];
        return [sameMove(other.codes[2][0], playground.data.panels[0].controls, other.controls, shifts),
            !panel.root.querySelector(".beside").hidden, by];
    })()""")
    own, theirs = trained.controls[1], other.controls[1]
    expected = other.encode(made[1]["mnist"][1].test.x[:0])[0]
    assert expected.shape == (0, 16) and shown
    start = items.digits(*made[1]["mnist"])[2]
    code = other.encode(start.original)[0][0]
    moved = code[theirs.dimension] + by / own.sd * theirs.sd * own.sign * theirs.sign
    low, high = min(theirs.low, code[theirs.dimension]), max(theirs.high, code[theirs.dimension])
    code[theirs.dimension] = np.clip(moved, low, high)
    assert np.allclose(z, code, atol=1e-3)


def test_a_digit_of_ones_own(tab, made):
    """Drawn with the mouse: prepared as pictures are, encoded as torch does, and moved like any other."""
    trained = made[1]["mnist"][0]
    tab.run("document.querySelector('#panel-mnist details.own').open = true")
    box = tab.run(
        """(() => {
            const canvas = document.querySelector(".drawing");
            canvas.scrollIntoView({ block: "center" });
            const { left, top, width } = canvas.getBoundingClientRect();
            return [left, top, width];
        })()"""
    )
    path = [(0.3, 0.3), (0.7, 0.3), (0.4, 0.8)]
    points = [(box[0] + x * box[2], box[1] + y * box[2]) for x, y in path]
    for kind, (x, y) in zip(
        ("mousePressed", "mouseMoved", "mouseMoved", "mouseReleased"), [*points, points[-1]], strict=True
    ):
        tab.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)
    grey, pixels, z = tab.run("""(async () => {
        await playground.settled();
        const canvas = document.querySelector(".drawing"), rgba = canvas.getContext("2d").getImageData(0,
            0, 280, 280).data;
        const panel = playground.panels.mnist;
        return [[...rgba].filter((_, i) => i % 4 === 3), [...bytesOf(panel.snapshot().pixels)],
            panel.state.z];
    })()""")
    expected = pictures.digit(np.array(grey, np.uint8).reshape(280, 280))
    assert np.abs(np.array(pixels).reshape(28, 28) - expected.astype(int)).max() <= 2
    code = trained.encode(np.array(pixels, np.uint8).reshape(1, 28, 28))[0]
    assert np.abs(np.array(z) - code).max() < 0.06 * np.abs(code).max()
    tab.run("(document.querySelector('.drawing').focus(), 0)")
    for key in (" ", "ArrowDown", "ArrowDown", "ArrowRight", " "):
        tab.press(key)
    drawn = tab.run(
        "playground.settled().then(() => [...bytesOf(playground.panels.mnist.snapshot().pixels)])"
    )
    assert drawn != pixels


# What a control may change, and how each is found, made ready to be used, and looked at afterwards.
WALK = """(() => {
    const { panels, settled } = playground, { melody, mnist } = panels, saved = [];
    const kinds = "input:not([type=file]), button:not(.bar), select, textarea, summary, .square, .drawing";
    const all = [...document.querySelectorAll(`main :is(${kinds})`)];
    const bars = [".strip > :nth-child(3)", ".score .ground", ".roll .ground"];
    const folds = [...document.querySelectorAll("main details")];
    const box = (name) => document.getElementById(name);
    HTMLAnchorElement.prototype.click = function () { saved.push(this.download); };
    const state = () => JSON.stringify([
        Object.values(panels).map((panel) => [panel.snapshot(), panel.state.original]), saved, location.hash,
        melody.state.first, melody.state.hearing, melody.player.playing, mnist.drawing.canvas.toDataURL(),
        folds.map((fold) => fold.open), document.querySelector(".refusal").textContent,
        [...document.querySelectorAll("main :is(select, textarea, [type=text])")].map(({ value }) => value)]);
    const frame = () => new Promise((done) => setTimeout(done, 20));
    let round = 0, one, kind, before, pointed;
    const ready = (panel) => {
        if (panel === melody) {
            if (melody.item().original.length < 32) melody.pickItem(box("melody-item").options.length - 1);
            panel.choose(new Set([9]));
            panel.state.first = 8;
        }
        const share = 0.3 + 0.3 * (round % 2);
        for (const { input, moveTo } of panel.sliders) {
            moveTo(Number(input.min) + share * (input.max - input.min));
        }
        panel.sliders[0].moveTo(Number(panel.sliders[0].input.max));
        panel.history.undo();
    };
    const role = (of) => of.closest(".items") ? "item" : "control";
    window.walk = {
        controls: () => [...all.map(role), ...bars.map(() => "bar")],
        async find(n, way) {
            round += 1;
            const find = () => n < all.length ? all[n] : melody.root.querySelector(bars[n - all.length]);
            one = find();
            const name = one.textContent;
            const panel = Object.values(panels).find(({ root }) => root.contains(one));
            for (const fold of folds) fold.open = fold.contains(one) && one.tagName !== "SUMMARY";
            kind = one.matches(".square, .drawing, .hold") ? one.className : one.type ?? one.tagName;
            pointed = way !== "keys" && /select|text/.test(kind);
            if (one.matches(".tools *, .transport :not(.play), .measures .row *, .reset")) ready(panel);
            if (one.matches(".items [aria-pressed=true]")) panel.choose(one.parentNode.children.length - 1);
            if (name === "Clear") mnist.drawing.canvas.getContext("2d").fillRect(round, 9, 99, 99);
            if (name === "Read it") {
                box("melody-pasted").value = `X:1\\nT:${round}\\nM:4/4\\nL:1/4\\nK:G\\n${"GABc|".repeat(32)}`;
            }
            if (one.closest("[hidden]")) melody.pickStyle("folk", true);
            await settled();
            if (one.closest("[hidden]")) box("melody-beside").click();
            history.replaceState(null, "", location.pathname);
            await settled();
            await frame();
            one = find();
            document.activeElement.blur();
            one.scrollIntoView({ block: "center", inline: "center" });
            await settled();
            if (way === "keys") one.focus();
            const { left, top, width, height } = one.getBoundingClientRect();
            const hit = document.elementFromPoint(left + width / 2, top + height / 2);
            before = state();
            return { kind, what: one.outerHTML.slice(0, 90), box: [left, top, width, height],
                high: one.value - one.min > one.max - one.value, last: one.selectedIndex > 0,
                free: !one.disabled && (hit === one || one.contains(hit) || Boolean(hit?.contains(one))),
                focused: document.activeElement === one,
                file: name.startsWith("Open a file") };
        },
        async changed() {
            for (const end = performance.now() + 5000; performance.now() < end;) {
                await settled();
                if (state() !== before || (pointed && document.activeElement === one)) return true;
                await frame();
            }
            return false;
        },
        rest() { melody.player.stop(); },
    };
})()"""


def use(tab, way, kind, box, high, last):
    """Use a control by mouse, touch or keys; returns what lets go of it."""
    left, top, width, height = box
    if way == "keys":
        if kind == "hold":
            space = {"key": " ", "code": "Space", "windowsVirtualKeyCode": 32}
            tab.call("Input.dispatchKeyEvent", type="rawKeyDown", **space)
            return lambda: tab.call("Input.dispatchKeyEvent", type="keyUp", **space)
        keys = {"checkbox": [" "], "square": ["ArrowLeft"], "drawing": [" ", "ArrowDown", " "]}
        keys |= {"range": ["ArrowLeft" if high else "ArrowRight"], "text": [], "textarea": []}
        keys |= {"select-one": ["ArrowUp" if last else "ArrowDown"]}
        if not keys.get(kind, True):
            tab.call("Input.insertText", text="2")
        if kind == "checkbox":
            time.sleep(
                0.2
            )  # the browser lets go of what a finger pressed after 150 ms, and of the key with it
        for key in keys.get(kind, ["Enter"]):
            tab.press(key)
        return lambda: None

    def mouse(event, x, y):
        values = {"button": "left", "buttons": 1, "clickCount": 1}
        tab.call("Input.dispatchMouseEvent", type=f"mouse{event}", x=x, y=y, **values)

    def touch(event, *point):
        points = [dict(zip("xy", point, strict=True))] if event != "Released" else []
        names = {"Pressed": "touchStart", "Moved": "touchMove", "Released": "touchEnd"}
        tab.call("Input.dispatchTouchEvent", type=names[event], touchPoints=points)

    send = mouse if way == "mouse" else touch
    shares = {"square": [(0.3, 0.6)], "drawing": [(0.3, 0.3), (0.7, 0.6)]}.get(kind, [(0.5, 0.5)])
    if kind == "range":
        shares = [(0.2 if high else 0.8, 0.5)]
    elif way == "touch":  # not where the mouse was
        shares = [(1 - x, 1 - y) for x, y in shares]
    points = [(left + x * width, top + y * height) for x, y in shares]
    for event, point in zip(("Pressed", "Moved"), points, strict=False):
        send(event, *point)
    if kind != "hold":
        send("Released", *points[-1])
    return {"hold": lambda: send("Released", *points[-1]), "select-one": lambda: tab.press("Escape")}.get(
        kind, lambda: None
    )


WAYS = ("mouse", "touch", "keys")


@pytest.mark.parametrize(
    ("width", "ways"),
    [
        (390, ("touch", "keys")),
        (1280, ("mouse",)),
        pytest.param(390, WAYS, marks=pytest.mark.slow),
        pytest.param(1280, WAYS, marks=pytest.mark.slow),
    ],
)
def test_every_control_works_by_mouse_touch_and_keys(tab, made, width, ways):
    """Each control of every panel: nothing lies over it, and something comes of it."""
    tab.open(made[0], width)
    tab.wait("window.playground")
    opened(tab)
    tab.run(WALK)
    tab.call("Page.setInterceptFileChooserDialog", enabled=True)
    failed = []
    for number, role in enumerate(tab.run("walk.controls()")):
        # Items are alike: each in one way. Measures of a score: by keys in the strip.
        few = {"item": ways[number % len(ways) :][:1], "bar": [way for way in ways if way != "keys"]}
        for way in few.get(role, ways):
            seen = tab.run(f"walk.find({number}, '{way}')")
            tab.events.clear()
            let_go = use(tab, way, *(seen[name] for name in ("kind", "box", "high", "last")))
            changed = tab.run("walk.changed()")
            if seen["file"]:
                changed = any(event.get("method") == "Page.fileChooserOpened" for event in tab.events)
            complaints = tab.complaints()
            let_go()
            if seen["kind"] == "hold":
                changed = changed and tab.run("!document.querySelector('.hold[aria-pressed=true]')")
            if not (seen["free"] and changed and seen["focused"] >= (way == "keys")) or complaints:
                failed.append((way, seen, changed, complaints))
            tab.run("walk.rest()")
    tab.call("Page.setInterceptFileChooserDialog", enabled=False)
    assert not failed, f"{len(failed)}: {failed[:8]}"


def test_saved_midi_is_the_melody(tab):
    from music21 import midi as reader

    notes, content = tab.run("""(() => {
        const notes = toNotes([[60, -1, -1, 62, -1, -1, -2, -1, -1, -1, -1, -1, 72, -1, 71, -1, 69, -1, 67,
        -1, -1, -1, -1, -1],
                               [-1, -1, -1, -1, -1, -1, 64, ...Array(17).fill(-1)]]);
        return [notes, [...midiFile(notes, 120)]];
    })()""")
    assert [(n["pitch"], n["start"], n["length"]) for n in notes] == [
        (60, 0, 6), (62, 6, 6), (72, 24, 4), (71, 28, 4), (69, 32, 4), (67, 36, 24), (64, 60, 36)
    ]  # fmt: skip
    file = reader.MidiFile()
    file.readstr(bytes(content))
    now, found = 0, []
    for event in file.tracks[0].events:
        now += event.time if event.isDeltaTime() else 0
        if event.isNoteOn():
            found.append((event.pitch, now / 40))
    assert file.ticksPerQuarterNote == 480 and found == [(n["pitch"], n["start"]) for n in notes]


def test_every_note_can_be_written(tab):
    """Whatever starts and ends on the grid, with or without triplets in its beats, is cut into values without
    gap."""
    count, wrong = tab.run("""(() => {
        const grid = [0, 1, 2, 3].flatMap((beat) => offsets.map((offset) => 12 * beat + offset)).concat(48);
        let count = 0, wrong = 0;
        for (const start of grid) for (const end of grid.filter((place) => place > start)) for (let m = 0; m <
        16; m++) {
            const triplets = new Set([0, 1, 2, 3].filter((beat) => (m >> beat) & 1));
            const edges = [start, end].filter((edge) => [4, 8].includes(edge % 12)).map((edge) =>
            Math.floor(edge / 12)); if (!edges.every((beat) => triplets.has(beat))) continue;
            let at = start;
            for (const part of cut(start, end, triplets)) {
                if (part.start !== at || !part.value) wrong += 1;
                at += part.length;
            }
            count += 1;
            if (at !== end) wrong += 1;
        }
        return [count, wrong];
    })()""")
    assert count > 3000 and wrong == 0


def test_the_committed_page():
    """What is in reports/ came from trained models; it agrees with them on this machine's browser too."""
    made = ROOT / "reports" / "playground.html"
    if not made.is_file():
        pytest.skip("reports/playground.html is not made yet (dvc repro playground)")
    assert made.stat().st_size < page.LIMIT
    program = chromium()
    if program is None:
        pytest.skip("no Chromium here: reports/playground.html was NOT checked in a browser")
    with running(program) as address:
        tab = Tab(address)
        tab.open(made)
        results = tab.run(
            "new Promise((done) => setTimeout(() => done((playground.check(), playground.check())), 300))"
        )
        for result in results.values():
            assert result["worst"] < ROUNDED and result["differing"] == 0
        assert tab.complaints() == []
        tab.close()


@pytest.mark.parametrize(("width", "dark"), [(360, False), (1200, True)])
def test_it_fits_and_complains_of_nothing(tab, made, width, dark):
    tab.open(made[0], width, dark=dark)
    tab.run("new Promise(done => setTimeout(done, 600))")
    assert tab.run("document.documentElement.scrollWidth") <= width
    assert tab.complaints() == []
    unnamed = tab.run("""[...document.querySelectorAll("input, button, select")].filter((one) =>
        !(one.labels?.length || one.textContent.trim() || one.getAttribute("aria-label"))).length""")
    assert unnamed == 0
