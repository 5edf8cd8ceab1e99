"""Nothing that is read can run: no code in data or parameters, archives that lie, markup in names."""

import ast
import gzip
import html
import io
import re
import subprocess
import sys
import time
import zipfile

import nbformat
import numpy as np
import pandas as pd
import pytest
import requests
import urllib3
from bs4 import BeautifulSoup

from arvae import notebook, paths, scores
from arvae.datasets import custom, mnist
from arvae.datasets.contract import DataError
from arvae.datasets.tunes import TuneError
from arvae.playground import page
from arvae.scores import audio, engraving
from arvae.site.convert import Converter
from arvae.tables import typeset

ROOT = paths.root(__file__)
EVIL = "<script>alert(1)</script>"

# ---------------------------------------------------------------- the code itself

MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "jsonpickle"}
BUILTINS = {"eval", "exec", "compile", "__import__"}
CALLS = {
    ("os", "system"), ("os", "popen"), ("torch", "load"), ("torch", "save"), ("yaml", "load"),
    ("yaml", "unsafe_load"), ("yaml", "full_load"), ("joblib", "load"), ("joblib", "dump"),
    ("pd", "read_pickle"), ("pandas", "read_pickle"), ("subprocess", "getoutput"),
    ("subprocess", "getstatusoutput"), ("tempfile", "mktemp"),
}  # fmt: skip
METHODS = {"extractall", "to_pickle", "unpack_archive", "create_subprocess_shell"}


def dangers(source: str) -> list[str]:
    """What in a piece of Python could run something that was read: "line: what", in order."""
    found = []
    for node in ast.walk(ast.parse(source)):
        what = []
        if isinstance(node, ast.Import):
            what = [alias.name for alias in node.names if alias.name.split(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom):
            module = (node.module or "").split(".")[0]
            what = [module] if module in MODULES else []
            what += [f"{module}.{a.name}" for a in node.names if (module, a.name) in CALLS]
        elif isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Name) and function.id in BUILTINS:
                what.append(function.id)
            if isinstance(function, ast.Attribute):
                owner = function.value.id if isinstance(function.value, ast.Name) else ""
                if (owner, function.attr) in CALLS or function.attr in METHODS:
                    what.append(f"{owner}.{function.attr}")
                if owner == "np" and function.attr == "load" and "allow_pickle" not in _given(node):
                    what.append("np.load without allow_pickle=False")
            for name, value in _given(node).items():
                if name in ("shell", "allow_pickle") and getattr(value, "value", True) is not False:
                    what.append(f"{name} is not False")
            if getattr(function, "id", getattr(function, "attr", "")) == "YAML":
                kind = _given(node).get("typ")
                if kind is None or getattr(kind, "value", "") not in ("safe", "rt"):
                    what.append("YAML without typ='safe'")
        found += [(node.lineno, name) for name in what]
    return [f"{line}: {name}" for line, name in sorted(found)]


def _given(call: ast.Call) -> dict[str, ast.expr]:
    return {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}


@pytest.mark.parametrize(
    "code",
    [
        "import pickle", "from dill import loads", "eval('1')", "exec(text)", "import os; os.system('ls')",
        "import subprocess; subprocess.run('ls', shell=True)", "subprocess.Popen(c, shell=flag)",
        "np.load(path)", "np.load(path, allow_pickle=True)", "torch.load(path, weights_only=False)",
        "yaml.load(text)", "from yaml import load", "YAML(typ='unsafe').load(text)", "YAML().load(text)",
        "tar.extractall(folder)", "pd.read_pickle(path)", "__import__(name)",
    ],
)  # fmt: skip
def test_dangerous_code_would_be_found(code):
    assert dangers(code)


def test_harmless_code_is_let_through():
    assert not dangers(
        "model.eval(); re.compile('x'); np.load(p, allow_pickle=False); YAML(typ='safe').load(t)"
    )


def test_nothing_here_unpickles_evaluates_or_calls_a_shell():
    sources = {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for folder in ("arvae", "benchmarks")
        for path in sorted((ROOT / folder).rglob("*.py"))
    }
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        sources[path.name] = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
        assert not re.search(r"^\s*[!%]", sources[path.name], re.M), (
            f"{path.name} has a magic or shell command"
        )
    assert len(sources) > 60
    found = {name: faults for name, source in sources.items() if (faults := dangers(source))}
    assert not found


def test_a_notebook_parameter_is_a_value_and_never_code(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    evil = "x'; open('pwned', 'w') #"
    typed = notebook._typed(ROOT / "notebooks" / "1_data.ipynb", {"dataset": evil})
    assert typed == {"dataset": evil}
    for text in ("__import__('os')", "1 if True else 2"):
        book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("n: int = 1")])
        book.cells[0].metadata["tags"] = ["parameters"]
        book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(book, tmp_path / "book.ipynb")
        with pytest.raises(notebook.NotebookError, match="n of book.ipynb is a int"):
            notebook._typed(tmp_path / "book.ipynb", {"n": text})


# ---------------------------------------------------------------- what is read

LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
XML = {
    "a billion laughs": f'<?xml version="1.0"?><!DOCTYPE s [<!ENTITY l0 "ha">{LAUGHS}]><s>&l9;</s>',
    "a file of this machine": '<?xml version="1.0"?><!DOCTYPE s [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    '<score-partwise version="4.0"><part-list/><part id="P1">&x;</part></score-partwise>',
    "an address": '<?xml version="1.0"?><!DOCTYPE s SYSTEM "http://127.0.0.1:9/x.dtd"><s>&x;</s>',
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", XML)
def test_xml_that_attacks_is_refused_at_once(tmp_path, name, packed):
    path = tmp_path / ("evil.mxl" if packed else "evil.musicxml")
    if packed:
        with zipfile.ZipFile(path, "w") as archive:
            where = '<container><rootfiles><rootfile full-path="a.xml"/></rootfiles></container>'
            archive.writestr("META-INF/container.xml", where)
            archive.writestr("a.xml", XML[name])
    else:
        path.write_text(XML[name])
    start = time.process_time()
    with pytest.raises(TuneError, match="evil"):
        scores.read(path)
    assert time.process_time() - start < 10


def test_an_archive_cannot_point_outside_itself(tmp_path):
    (tmp_path / "secret.xml").write_text("<score-partwise/>")
    with zipfile.ZipFile(tmp_path / "evil.mxl", "w") as archive:
        where = '<container><rootfiles><rootfile full-path="../secret.xml"/></rootfiles></container>'
        archive.writestr("META-INF/container.xml", where)
        archive.writestr("../../evil.xml", "x")
    with pytest.raises(TuneError, match="evil.mxl"):
        scores.read(tmp_path / "evil.mxl")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evil.mxl", "secret.xml"]


def test_a_gzip_bomb_is_not_unpacked(tmp_path):
    name = "train-images-idx3-ubyte"
    with gzip.open(tmp_path / f"{name}.gz", "wb", compresslevel=1) as file:
        for _ in range(60):
            file.write(bytes(1_000_000))
    with pytest.raises(DataError, match="SHA-256 of the content"):
        mnist._content(tmp_path / f"{name}.gz", name)


def test_a_web_page_in_the_place_of_data_is_named(tmp_path):
    name = "train-images-idx3-ubyte"
    (tmp_path / name).write_bytes(b"<!DOCTYPE html><html>Sign in</html>")
    with pytest.raises(DataError, match="looks like a web page"):
        mnist._content(tmp_path / name, name)
    (tmp_path / name).write_bytes(gzip.compress(b"<html>Sign in</html>"))
    with pytest.raises(DataError, match="looks like a web page"):
        mnist._content(tmp_path / name, name)


def test_an_array_of_objects_is_never_unpickled(tmp_path):
    class Evil:
        def __reduce__(self):
            return open, (str(tmp_path / "pwned"), "w")

    np.savez(tmp_path / "morphology.npz", values=np.array([Evil()], dtype=object))
    with (
        pytest.raises(ValueError, match="allow_pickle=False"),
        np.load(tmp_path / "morphology.npz", allow_pickle=False) as archive,
    ):
        archive["values"]
    assert not (tmp_path / "pwned").exists()


# ---------------------------------------------------------------- what is shown


def test_tables_escape_what_they_show():
    table = pd.DataFrame({"metric": ["mig"], "data set": ["mnist"], f"by {EVIL}": [EVIL]})
    shown = typeset.html(table).data
    assert "<script" not in shown and html.escape(EVIL) in shown
    assert "<script" not in table._repr_html_()  # what a notebook shows of a data frame by itself


@pytest.mark.parametrize(
    "made",
    [
        lambda: audio.player(np.full((1, 24), -1), f'"{EVIL}'),
        lambda: page.render({"title": f"</script>{EVIL}"}, {}, made=EVIL),
        lambda: engraving._text(EVIL, 0, 0, "start", False),
    ],
    ids=["player", "playground", "score"],
)
def test_what_makes_html_escapes_names(made):
    assert "alert(1)</script>" not in made()


def test_pages_show_names_as_text_and_nothing_in_them_runs(tmp_path):
    (tmp_path / "reports").mkdir()
    frame = pd.DataFrame({EVIL: [1.0]}, index=[f"{EVIL}.png"])
    outputs = [
        nbformat.v4.new_output("display_data", {"text/html": frame._repr_html_()}),
        nbformat.v4.new_output("display_data", {"text/plain": f"Attribute {EVIL}"}),
        nbformat.v4.new_output(
            "display_data", {"text/markdown": f"of {EVIL} <img src=x onerror=alert(1) alt=a>"}
        ),
        nbformat.v4.new_output("stream", name="stdout", text=f"reading {EVIL}.png"),
        nbformat.v4.new_output("error", ename="DataError", evalue=EVIL, traceback=[f"DataError: {EVIL}"]),
    ]
    book = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("# A"),
            nbformat.v4.new_code_cell(f"x = '{EVIL}'", outputs=outputs),
        ]
    )
    nbformat.write(book, tmp_path / "a.ipynb")
    written = Converter(tmp_path).notebook(tmp_path / "a.ipynb").html
    soup = BeautifulSoup(written, "html.parser")
    assert not soup.select("script, iframe, object")
    assert not [tag for tag in soup.find_all(True) for name in tag.attrs if name.lower().startswith("on")]
    assert written.count(html.escape(EVIL, quote=False)) >= 4  # the code, the table, the texts


@pytest.mark.parametrize("header", [f"file,{EVIL}", "file,a [<b>cm]", "file,a<img src=x>"])
def test_markup_is_no_attribute_name(tmp_path, header):
    rows = "\n".join(f"{n}.png,{n}" for n in range(120))
    (tmp_path / custom.TABLE).write_text(f"{header}\n{rows}\n")
    with pytest.raises(DataError, match="is no name; write `name` or"):
        custom.read_table(tmp_path / custom.TABLE)


# ---------------------------------------------------------------- what is started


def test_jupyterlab_listens_on_loopback_and_asks_for_its_token():
    recipe = (ROOT / "Makefile").read_text().split("\nlab:")[1].split("\n\n")[0]
    (line,) = [line for line in recipe.splitlines() if line.startswith("\t")]
    assert "--ServerApp.ip=127.0.0.1" in line
    assert not re.search(r"token|password|allow_origin|allow_remote_access|disable_check_xsrf", line)


@pytest.mark.slow
def test_jupyterlab_turns_away_who_has_no_token(tmp_path):
    command = [sys.executable, "-m", "jupyter", "lab", "--ServerApp.ip=127.0.0.1", "--no-browser"]
    command += ["--allow-root", "--ServerApp.port=0", f"--ServerApp.root_dir={tmp_path}"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as lab:
        try:
            said = io.StringIO()
            for line in lab.stderr:
                said.write(line)
                if found := re.search(r"http://127\.0\.0\.1:(\d+)/\S*token=(\w{20,})", line):
                    break
            else:
                pytest.fail(said.getvalue())
            address = f"http://127.0.0.1:{found[1]}/api/contents"
            session = requests.Session()
            session.trust_env = False  # no proxy for what is here
            patient = urllib3.Retry(total=20, backoff_factor=0.5, backoff_max=3)  # it says its address first
            session.mount("http://", requests.adapters.HTTPAdapter(max_retries=patient))
            assert session.get(address, timeout=30).status_code == 403
            assert session.get(address, params={"token": "wrong"}, timeout=30).status_code == 403
            assert session.get(address, params={"token": found[2]}, timeout=30).status_code == 200
        finally:
            lab.terminate()
            lab.communicate()
