"""The project holds together: pins, notebooks, pipeline and the small helpers under everything."""

import ast
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import nbformat
import pytest
from ruamel.yaml import YAML

from arvae import check, files, paths, progress

ROOT = paths.root(__file__)
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def pins():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return {_name(line): line for line in lines if line and not line.startswith("#")}


def _name(requirement):
    return re.split(r"[\s<>=!~;\[]", requirement, maxsplit=1)[0].lower().replace("_", "-").replace(".", "-")


def test_every_requirement_is_pinned_and_every_pin_is_exact():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = pins()
    for requirement in [*project["dependencies"], *project["optional-dependencies"]["test"]]:
        assert _name(requirement) in locked, f"{requirement} is not in requirements.lock: run `make lock`"
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in locked.values())


@pytest.mark.skipif(Path(sys.prefix) != ROOT / ".venv", reason="not the project's own environment, .venv")
def test_what_is_installed_is_what_is_pinned():
    installed = {_name(one.name): one.version.split("+")[0] for one in metadata.distributions()}
    wanted = {name: line.split("==")[1].split(";")[0].strip() for name, line in pins().items()}
    assert {name: installed.get(name) for name in wanted} == wanted


def test_conda_users_get_the_same_pins():
    wanted = YAML(typ="safe").load((ROOT / "environment.yml").read_text())["dependencies"]
    (pip,) = [entry["pip"] for entry in wanted if isinstance(entry, dict)]
    assert pip == ["-r requirements.lock", "-e ."]
    unpinned = [entry for entry in wanted if isinstance(entry, str) and not entry.startswith("python=")]
    assert {_name(entry) for entry in unpinned} == {"pip", "make", "nodejs"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_a_notebook_is_prose_first_parameterized_and_without_outputs(path):
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    assert book.cells[0].cell_type == "markdown" and book.cells[0].source.startswith("# ")
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert sum("parameters" in setup.metadata.get("tags", []) for setup in code) == 1
    for setup in code:
        assert not setup.outputs and setup.execution_count is None
        assert len(setup.source.splitlines()) <= 30, "a setup longer than a screen belongs into arvae/"
        assert not re.search(r"^\s*class ", setup.source, re.M)


def test_every_path_the_pipeline_depends_on_exists():
    """Catches a module that was renamed in the code but not in dvc.yaml."""
    stages = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"]
    for dep in {dep for stage in stages.values() for dep in stage.get("do", stage)["deps"]}:
        if "${" not in dep and dep.startswith(("arvae", "notebooks", "data/published")):
            assert (ROOT / dep).exists(), f"dvc.yaml depends on {dep}, which does not exist"


# Glue that decides no result; and for train what only draws, so that an edit to a figure retrains nothing.
GLUE = ("arvae/__init__.py", "arvae/params/", "arvae/paths.py", "arvae/files.py", "arvae/progress.py")
GLUE += (
    "arvae/datasets/__init__.py",
    "arvae/datasets/catalogue.py",
    "arvae/report/figures/__init__.py",
    "arvae/report/figures/style.py",
)


def _modules_under(source):
    """The project's modules that a piece of code imports, directly or through others, as relative paths."""
    seen, todo = set(), list(_imported(source))
    while todo:
        name = todo.pop()
        for path in (ROOT / name.replace(".", "/") / "__init__.py", ROOT / f"{name.replace('.', '/')}.py"):
            module = path.relative_to(ROOT).as_posix()
            if path.is_file() and module not in seen and not module.startswith(GLUE):
                seen.add(module)
                todo += _imported(path.read_text())
    return seen


def _imported(source):
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("arvae"))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("arvae"):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("stage", ["data", "train", "evaluate", "site"])
def test_a_stage_depends_on_every_module_that_decides_its_results(stage):
    body = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"][stage]
    body = body.get("do", body)
    name = re.findall(r"notebooks/\w+\.ipynb", body["cmd"])[0]
    cells = nbformat.read(ROOT / name, as_version=4).cells
    used = _modules_under("\n".join(cell.source for cell in cells if cell.cell_type == "code"))
    allowed = ("arvae/report/figures/",) if stage == "train" else ()
    missing = {
        module
        for module in used
        if not module.startswith(allowed)
        and not any(module == dep or module.startswith(dep + "/") for dep in body["deps"])
    }
    assert not missing, f"dvc.yaml: stage {stage} uses {sorted(missing)} but does not depend on them"


def test_atomic_write_keeps_the_old_file_when_writing_fails(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(OSError, match="disk"), files.atomic_write(target) as temporary:
        temporary.write_text("half")
        raise OSError("disk full")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_json_refuses_nan_and_names_a_broken_file(tmp_path):
    with pytest.raises(ValueError, match="nan|Out of range"):
        files.write_json(tmp_path / "a.json", {"a": float("nan")})
    assert not list(tmp_path.iterdir())
    (tmp_path / "b.json").write_text("{")
    with pytest.raises(ValueError, match="b.json is not valid JSON"):
        files.read_json(tmp_path / "b.json")


def test_root_is_found_from_below_and_its_absence_is_said(tmp_path):
    assert paths.root(ROOT / "arvae" / "params") == ROOT
    with pytest.raises(FileNotFoundError, match=r"params\.yaml"):
        paths.root(tmp_path)


def test_progress_says_how_far_and_how_long():
    lines = []
    counter = progress.Progress(10, "drawing", unit="images", every=0.0, log=lines.append)
    counter.update(5)
    counter.close("all well")
    assert re.match(r"drawing: 5 of 10 images \(50 %\), .* a second, 0:0\d left", lines[0])
    assert lines[1].startswith("drawing: 5 images in 0:0") and lines[1].endswith("all well")
    assert progress.clock(3725) == "1:02:05"


def test_check_forgives_only_what_a_fresh_clone_cannot_have():
    status = {
        "train@a": [{"changed deps": {"arvae/losses.py": "modified", "data/prepared/a": "deleted"}}],
        "data@a": [{"changed outs": {"data/prepared/a": "not in cache", "reports/x.json": "deleted"}}],
        "site": ["changed command"],
    }
    found = check.faults(status, absent_is_fine=lambda path: path.startswith("data/"))
    assert found == [
        "train@a: arvae/losses.py (deps: modified)",
        "data@a: reports/x.json (outs: deleted)",
        "site: changed command",
    ]


def test_no_report_tells_where_it_was_made():
    books = [*ROOT.glob("reports/**/*.ipynb"), *ROOT.glob("studies/reports/**/*.ipynb")]
    assert books
    place = re.compile(r"PosixPath\(|\"/(home|root|tmp|Users)/")
    told = [book.name for book in books if place.search(book.read_text())]
    assert told == []


def test_no_report_holds_ids_drawn_at_random():
    """As those of pandas' Styler: the same run is to give the same bytes."""
    books = [path for name in ("reports", "studies/reports") for path in (ROOT / name).rglob("*.ipynb")]
    assert len(books) > 20
    for path in books:
        assert not re.search(r'id=\\"T_[0-9a-f]{5}', path.read_text(encoding="utf-8")), path
