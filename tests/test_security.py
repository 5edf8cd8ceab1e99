"""Nothing that is read can run: no code in data or parameters, archives that lie, markup in names."""

import ast
import gzip
import html
import io
import os
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

from arvae import notebook, params, paths
from arvae.datasets import custom, mnist
from arvae.datasets.contract import DataError
from arvae.music import files as scores
from arvae.music.score import TuneError
from compendium.figures import engraving
from compendium.figures import music as music_figures
from compendium.playground import page
from compendium.site.convert import Converter
from compendium.tables import typeset

ROOT = paths.root(__file__)
EVIL = "<script>alert(1)</script>"

# ---------------------------------------------------------------- the code itself

MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "jsonpickle"}
BUILTINS = {"eval", "exec", "compile", "__import__"}
CALLS = {
    ("os", "system"), ("os", "popen"), ("torch", "load"), ("torch", "save"), ("yaml", "load"),
    ("yaml", "unsafe_load"), ("yaml", "full_load"), ("joblib", "load"), ("joblib", "dump"),
    ("pd", "read_pickle"), ("pandas", "read_pickle"), ("subprocess", "getoutput"),
    ("subprocess", "getstatusoutput"), ("tempfile", "mktemp"), ("numpy", "load"), ("pd", "eval"),
    ("pandas", "eval"), ("builtins", "eval"), ("builtins", "exec"), ("runpy", "run_path"),
    ("runpy", "run_module"), ("pty", "spawn"),
}  # fmt: skip
METHODS = {
    "extractall", "extract", "to_pickle", "read_pickle", "unpack_archive", "create_subprocess_shell", "query",
}  # fmt: skip
OURS = {
    ("sources", "extract")
}  # arvae.datasets.sources, which writes the files it is asked for and no others
STARTS = re.compile(r"exec[lv]p?e?|spawn[lv]p?e?|posix_spawnp?|startfile")  # what os starts programs with


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
            what += [f"{module}.{a.name}" for a in node.names if _is_dangerous(module, a.name)]
        elif isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Name) and function.id in BUILTINS:
                what.append(function.id)
            if isinstance(function, ast.Attribute):
                owner = function.value.id if isinstance(function.value, ast.Name) else ""
                by_name = function.attr in METHODS and (owner, function.attr) not in OURS
                by_name &= not (function.attr == "query" and "k" in _given(node))  # a tree's neighbours
                if _is_dangerous(owner, function.attr) or by_name:
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


def _is_dangerous(module: str, name: str) -> bool:
    return (module, name) in CALLS or (module == "os" and bool(STARTS.fullmatch(name)))


def _given(call: ast.Call) -> dict[str, ast.expr]:
    return {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}


@pytest.mark.parametrize(
    "code",
    [
        "import pickle", "from dill import loads", "eval('1')", "exec(text)", "import os; os.system('ls')",
        "import subprocess; subprocess.run('ls', shell=True)", "subprocess.Popen(c, shell=flag)",
        "np.load(path)", "np.load(path, allow_pickle=True)", "torch.load(path, weights_only=False)",
        "yaml.load(text)", "from yaml import load", "YAML(typ='unsafe').load(text)", "YAML().load(text)",
        "tar.extractall(folder)", "pd.read_pickle(path)", "__import__(name)", "numpy.load(path)",
        "from numpy import load", "pd.eval(text)", "table.query(text)", "archive.extract(name)",
        "import os; os.execvp(name, words)", "os.spawnlp(0, name)", "from os import execv",
        "os.posix_spawn(p, a, e)", "runpy.run_path(path)", "import builtins; builtins.eval(text)",
    ],
)  # fmt: skip
def test_dangerous_code_would_be_found(code):
    assert dangers(code)


def test_harmless_code_is_let_through():
    assert not dangers(
        "model.eval(); re.compile('x'); np.load(p, allow_pickle=False); YAML(typ='safe').load(t);"
        "tree.query(x, k=[2]); os.environ; os.path.exists(p); json.load(f); sources.extract(a, b, c)"
    )


def test_nothing_here_unpickles_evaluates_or_calls_a_shell():
    sources = {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for folder in ("arvae", "compendium", "benchmarks")
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
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    cells = [nbformat.v4.new_code_cell("name: str = 'a'", metadata={"tags": ["parameters"]})]
    cells.append(nbformat.v4.new_code_cell("print(repr(name))"))
    book = nbformat.v4.new_notebook(cells=cells)
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, tmp_path / "evil.ipynb")
    shown = io.StringIO()
    evil += "\nopen('pwned', 'w')\n\"\"\"\nopen('pwned', 'w')"
    notebook.run(tmp_path / "evil.ipynb", tmp_path / "out.ipynb", {"name": evil}, log=shown)
    assert repr(evil) in shown.getvalue() and not (tmp_path / "pwned").exists()
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


@pytest.mark.parametrize("tag", ["python/object/apply:os.system ['touch pwned']", "python/name:os.system ''"])
def test_a_tag_in_the_parameters_runs_nothing(tmp_path, monkeypatch, tag):
    """In the place of a value that is asked for: it is the tag that is refused, not a name."""
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    assert "\nscale: laptop" in text
    (tmp_path / "params.yaml").write_text(
        text.replace("\nscale: laptop", f"\nscale: !!{tag}"), encoding="utf-8"
    )
    with pytest.raises(
        params.ParamsError, match=r"tag:yaml.org,2002:python|could not determine a constructor"
    ):
        params.load(tmp_path / "params.yaml")
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


def test_a_gzip_bomb_is_not_unpacked(tmp_path, monkeypatch):
    """Of what it would unpack to no more is read than the largest of the files has."""
    name, read = "train-images-idx3-ubyte", []
    with gzip.open(tmp_path / f"{name}.gz", "wb", compresslevel=1) as file:
        for _ in range(60):
            file.write(bytes(1_000_000))

    class Counting(gzip.GzipFile):
        def read(self, size=-1):
            read.append(len(content := super().read(size)))
            return content

    monkeypatch.setattr(mnist.gzip, "open", Counting)
    with pytest.raises(DataError, match="SHA-256 of the content"):
        mnist._content(tmp_path / f"{name}.gz", name)
    assert 0 < sum(read) <= 48_000_000


def test_a_web_page_in_the_place_of_data_is_named(tmp_path):
    name = "train-images-idx3-ubyte"
    (tmp_path / name).write_bytes(b"<!DOCTYPE html><html>Sign in</html>")
    with pytest.raises(DataError, match="looks like a web page"):
        mnist._content(tmp_path / name, name)
    (tmp_path / name).write_bytes(gzip.compress(b"<html>Sign in</html>"))
    with pytest.raises(DataError, match="looks like a web page"):
        mnist._content(tmp_path / name, name)


def test_an_array_of_objects_is_never_unpickled(tmp_path):
    """Where measurements of digits are kept lies a pickle: they are measured again, and it is not opened."""

    class Evil:
        def __reduce__(self):
            return open, (str(tmp_path / "pwned"), "w")

    images = np.zeros((2, 28, 28), np.uint8)
    images[:, 5:20, 12:16] = 255
    wanted = mnist._measured(images, tmp_path / "cache", "test", str)
    (kept,) = (tmp_path / "cache").glob("*.npz")
    np.savez(kept, values=np.array([[Evil()] * 6] * 2, dtype=object))
    said = []
    np.testing.assert_array_equal(mnist._measured(images, tmp_path / "cache", "test", said.append), wanted)
    assert any("is damaged" in line for line in said)
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
        lambda: music_figures.player(np.full((1, 24), -1), f'"{EVIL}'),
        lambda: page.render({"title": f"</script>{EVIL}"}, {}, made=EVIL, scale=EVIL),
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
    written = Converter(tmp_path, tmp_path / "reports").notebook(tmp_path / "a.ipynb").soup.decode()
    soup = BeautifulSoup(written, "html.parser")
    assert not soup.select("script, iframe, object")
    assert not [tag for tag in soup.find_all(True) for name in tag.attrs if name.lower().startswith("on")]
    assert written.count(html.escape(EVIL, quote=False)) >= 4  # the code, the table, the texts


@pytest.mark.parametrize("header", [f"file,{EVIL}", "file,a [<b>cm]", "file,a<img src=x>"])
def test_markup_is_no_attribute_name(tmp_path, header):
    rows = "\n".join(f"{n}.png,{n}" for n in range(120))
    (tmp_path / custom.TABLE).write_text(f"{header}\n{rows}\n")
    with pytest.raises(DataError, match="is not a valid name; write `name` or"):
        custom.read_table(tmp_path / custom.TABLE)


# ---------------------------------------------------------------- what is started


def lab_flags():
    """What `make lab` gives to JupyterLab."""
    recipe = (ROOT / "Makefile").read_text().split("\nlab:")[1].split("\n\n")[0]
    (line,) = [line for line in recipe.splitlines() if line.startswith("\t")]
    return line.split("jupyter lab")[1].split()


def test_jupyterlab_listens_on_loopback_and_asks_for_its_token():
    flags = lab_flags()
    assert "--ServerApp.ip=127.0.0.1" in flags
    assert not re.search(
        r"token|password|allow_origin|allow_remote_access|disable_check_xsrf|identity|config",
        " ".join(flags),
        re.I,
    )


@pytest.mark.slow
def test_jupyterlab_turns_away_who_has_no_token(tmp_path):
    command = [sys.executable, "-m", "jupyter", "lab", *lab_flags(), "--no-browser"]
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


def test_without_a_network_the_audit_of_the_packages_is_skipped_and_says_so(tmp_path):
    closed = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    elsewhere = {name: value for name, value in os.environ.items() if name.lower() != "no_proxy"}
    done = subprocess.run(
        ["bash", str(ROOT / ".ci" / "audit")],
        cwd=tmp_path, env=elsewhere | closed | {"AUDIT": "strict"}, capture_output=True, text=True,
        timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "SKIPPED" in done.stdout and "cannot be reached" in done.stdout
