"""The project holds together: pins, notebooks, pipeline and the small helpers under everything."""

import ast
import json
import os
import re
import shutil
import subprocess
import symtable
import sys
import tomllib
from collections import Counter
from importlib import metadata
from pathlib import Path

import nbformat
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

import arvae
from arvae import files, paths, progress
from arvae.trained import ModelError
from arvae.trained.weights import find
from compendium import check, pipeline, readme, train, weights
from docs import architecture
from tests.conftest import dvc, dvc_project

ROOT = paths.root(__file__)
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def pins(name="requirements.lock"):
    """The requirements of a lock by name, each with its hashes left out."""
    lines = (ROOT / name).read_text().splitlines()
    pinned = [Requirement(line.rstrip(" \\")) for line in lines if re.match(r"[\w.-]+==", line)]
    return {canonicalize_name(one.name): one for one in pinned}


def declared():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_every_requirement_is_pinned_by_version_and_hash():
    project, locked = declared(), pins() | pins("requirements-torch.lock")
    extras = project["optional-dependencies"]
    wanted = {Requirement(one).name for one in [*project["dependencies"], *extras["all"], *extras["test"]]}
    missing = {name for name in wanted - {"arvae"} if canonicalize_name(name) not in locked}
    assert not missing, f"{missing} are in no lock: run `make lock`"
    for name in ("requirements.lock", "requirements-torch.lock"):
        entries = re.split(r"\n(?=[\w.-]+==)", (ROOT / name).read_text())[1:]
        assert len(entries) > 20 and all("--hash=sha256:" in entry for entry in entries)


def test_without_a_gpu_no_cuda_is_installed():
    """The lock that everybody installs has neither PyTorch nor what it needs of a GPU, but all else."""
    large = {name for name in pins("requirements-torch.lock") if name not in pins()}
    assert {"torch", "triton"} <= large
    assert all(name.startswith(("torch", "triton", "cuda-", "nvidia-")) for name in large)


@pytest.mark.skipif(Path(sys.prefix) != ROOT / ".venv", reason="not the project's own environment, .venv")
def test_what_is_installed_is_what_is_pinned():
    installed = {canonicalize_name(one.name): one.version for one in metadata.distributions()}
    wanted = pins() | {"torch": pins("requirements-torch.lock")["torch"]}
    wanted = {name: pin for name, pin in wanted.items() if pin.marker is None or pin.marker.evaluate()}
    wrong = {
        name: installed.get(name)
        for name, pin in wanted.items()
        if installed.get(name, "0") not in pin.specifier
    }
    assert not wrong.keys() - {"setuptools"}  # what `python -m venv` brought may be newer


def test_the_version_is_the_same_everywhere():
    version = declared()["version"]
    assert arvae.__version__ == version
    yaml = YAML(typ="safe")
    assert yaml.load((ROOT / "CITATION.cff").read_text())["version"] == version
    assert f"\n## {version}\n" in (ROOT / "CHANGELOG.md").read_text()


def test_ci_tries_every_python_that_the_lock_is_for():
    workflow = YAML(typ="safe").load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    tried = set(workflow["jobs"]["tests"]["strategy"]["matrix"]["python"])
    tried |= {one["python"] for one in workflow["jobs"]["tests"]["strategy"]["matrix"]["include"]}
    assert tried == {"3.11", "3.12", "3.13", "3.14"}
    environment = YAML(typ="safe").load((ROOT / "environment.yml").read_text())["dependencies"]
    assert environment == ["python=3.12", "make", "nodejs"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_a_notebook_is_prose_first_parameterized_and_without_outputs(path):
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    assert book.cells[0].cell_type == "markdown" and book.cells[0].source.startswith("# ")
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert sum("parameters" in cell.metadata.get("tags", []) for cell in code) <= 1
    for cell in code:
        assert not cell.outputs and cell.execution_count is None
        assert len(cell.source.splitlines()) <= 30, "a cell longer than a screen belongs into arvae/"
        assert not re.search(r"^\s*class ", cell.source, re.M)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_a_name_read_in_another_cell_means_one_thing(path):
    """A label given in one cell and overwritten by a table in the next stood below a figure as that table.

    A cell may make a name anew from what it was; or from a parameter."""
    given, unclear = Counter(), []
    for number, cell in enumerate(json.loads(path.read_text())["cells"]):
        if cell["cell_type"] != "code":
            continue
        source = "".join(cell["source"])
        table = symtable.symtable(source, path.name, "exec")
        read = {one.get_name() for one in table.get_symbols() if one.is_referenced()}
        read |= {one.get_name() for inner in within(table) for one in inner.get_symbols() if one.is_global()}
        mine = {one.get_name() for one in table.get_symbols() if one.is_assigned() and not one.is_imported()}
        unclear += [(number, name) for name in read - mine if given[name] > 1]
        if "parameters" not in cell["metadata"].get("tags", []):
            given.update(mine - refined(source))
    assert not unclear


def refined(source):
    """Names that a statement assigns from what they were."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assign):
            before, after = (
                {one.id for part in parts for one in ast.walk(part) if isinstance(one, ast.Name)}
                for parts in ([node.value], node.targets)
            )
            found |= before & after
    return found


def within(table):
    """The scopes inside one, at any depth."""
    return [scope for child in table.get_children() for scope in (child, *within(child))]


def test_no_notebook_branches_on_the_kind_of_data_twice():
    for path in NOTEBOOKS:
        assert len(re.findall(r"\bkind [!=]= ", path.read_text())) <= 1, path.name


# ---------------------------------------------------------------- rooms

APPLICATIONS = {"edit", "playground", "notebook", "check", "pipeline", "train", "site", "readme", "weights"}
# Declared, and started as programs or needed by others without being imported.
STARTED = {"jupyterlab", "dvc", "tabulate", "distributed"}
OF = {"PIL": "pillow", "skimage": "scikit-image", "sklearn": "scikit-learn", "bs4": "beautifulsoup4"}
OF |= {"ruamel": "ruamel.yaml", "IPython": "ipython"}
# Installed by another that is declared, which could not do without them: its notebooks, its kernels.
BROUGHT = {
    "nbformat",
    "nbclient",
    "jupyter-client",
    "traitlets",
    "ipython",
    "jinja2",
    "pygments",
    "urllib3",
    "pillow",
}


def test_no_room_imports_another_that_imports_it_back():
    edges = architecture.graph()
    cycles = {room: edges[room] for room in edges if room in architecture.below(room, edges)}
    assert not cycles, f"these import one another: {cycles}"


def test_applications_are_leaves():
    """Nothing builds on them but, of each other, the playground on edit and the check on what it checks."""
    edges = architecture.graph() | {"playground": architecture.graph()["playground"] - {"edit"}}
    edges["check"] -= {"pipeline", "weights"}
    assert {room: found for room, others in edges.items() if (found := others & APPLICATIONS)} == {}


def test_the_picture_of_the_architecture_is_drawn_from_the_code():
    assert (ROOT / "docs" / "architecture.svg").read_text() == architecture.draw(), (
        "run `python docs/architecture.py`"
    )
    assert set(architecture.SAYS) == set(architecture.graph())


def test_the_package_does_without_its_compendium():
    files = {path.relative_to(ROOT): architecture.imported(path) for path in (ROOT / "arvae").rglob("*.py")}
    assert {
        path for path, names in files.items() if any(one.startswith("compendium") for one in names)
    } == set()


def test_importing_the_package_takes_no_time():
    """Neither the package nor its parameters load torch."""
    code = "import sys, arvae, arvae.params; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_what_is_imported_is_declared_and_what_is_declared_is_imported():
    files = [path for name in ("arvae", "compendium", "benchmarks") for path in (ROOT / name).rglob("*.py")]
    names = set().union(*map(architecture.imported, files))
    for path in NOTEBOOKS:
        cells = nbformat.read(path, as_version=4).cells
        source = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
        names |= {
            alias.name
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Import)
            for alias in node.names
        }
    top = (
        {name.split(".")[0] for name in names}
        - set(sys.stdlib_module_names)
        - {"arvae", "compendium", "benchmarks", "tests"}
    )
    used = {canonicalize_name(OF.get(name, name)) for name in top}
    wanted = [*declared()["dependencies"], *declared()["optional-dependencies"]["all"]]
    named = {canonicalize_name(Requirement(one).name) for one in wanted}
    assert used - named - BROUGHT - STARTED == set(), "imported, but not in pyproject.toml"
    assert named - used - STARTED == set(), "in pyproject.toml, but imported nowhere"


def test_the_readme_is_short_and_names_every_library():
    text = (ROOT / "README.md").read_text()
    assert len(text.split()) <= 1200
    libraries = text.split("## Libraries")[1].split("##")[0].lower()
    wanted = [*declared()["dependencies"], *declared()["optional-dependencies"]["all"]]
    assert [one for one in wanted if Requirement(one).name not in libraries] == []


# ---------------------------------------------------------------- pipelines

LOCAL = ("arvae", "compendium", "notebooks", "docs", "data/published")
# Glue that decides no result.
GLUE = ("arvae/__init__.py", "arvae/params/", "arvae/paths.py", "arvae/files.py", "arvae/progress.py")
GLUE += ("arvae/interrupts.py", "arvae/machine.py", "compendium/__init__.py")
# What only draws a training's page is no dependency of it, so that an edit to a figure retrains nothing; what
# the others load trained weights with is decided by the weights.
DRAWS = (
    "compendium/",
    "arvae/trained/",
    "arvae/evaluation/",
    "arvae/metrics/",
    "arvae/music/",
    "arvae/datasets/",
)
LOADS = ("arvae/training/", "arvae/fast/", "arvae/losses.py", "arvae/models/")


def stages():
    """The stages of all pipelines, by pipeline and name."""
    for name, text in pipeline.written(ROOT).items():
        for stage, body in YAML(typ="safe").load(text)["stages"].items():
            yield name, stage, body.get("do", body)


def test_the_pipelines_files_are_those_that_are_defined():
    assert pipeline.stale(ROOT) == [], "run `python -m compendium.pipeline`"


def test_every_path_the_pipelines_depend_on_exists():
    """Catches a module that was renamed in the code but not in pipeline.yaml."""
    for name, stage, body in stages():
        for dep in body["deps"]:
            assert "${" in dep or not dep.startswith(LOCAL) or (ROOT / dep).exists(), (
                f"{name}, {stage}: {dep}"
            )


def test_pipelines_share_no_output_and_a_home_keeps_all_its_own():
    """DVC refuses a file that two stages make; overnight/ writes nothing outside of itself."""
    night = YAML(typ="safe").load(pipeline.written(ROOT)["overnight/dvc.yaml"])["stages"]
    assert night.keys() >= {"data", "train", "evaluate", "results", "playground", "tutorial", "site"}
    for stage in night.values():
        stage = stage.get("do", stage)
        outs = [*stage["outs"], *stage.get("metrics", ()), *stage.get("plots", ())]
        assert {(out if isinstance(out, str) else next(iter(out))).split("/")[0] for out in outs} == {
            "overnight"
        }
        assert "overnight/params.yaml" in stage["deps"]
    listed = subprocess.run(
        [sys.executable, "-m", "dvc", "stage", "list", "--all", "--name-only"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert {"train@dsprites-arvae", "overnight/dvc.yaml:train@dsprites-betavae1"} <= {*listed}


def test_a_data_set_more_is_one_entry(tmp_path):
    """Its stages appear in dvc.yaml, those that were there stay as they are."""
    (tmp_path / "overnight").mkdir()
    for name in ("pipeline.yaml", "params.yaml", "overnight/params.yaml"):
        shutil.copy(ROOT / name, tmp_path / name)
    text = (tmp_path / "params.yaml").read_text()
    text = text.replace(
        "\n  folk: {kind: music}\n", "\n  folk: {kind: music}\n  mine: {kind: music, folder: a}\n"
    )
    (tmp_path / "params.yaml").write_text(text)
    before, after = (
        YAML(typ="safe").load(pipeline.written(home)["dvc.yaml"])["stages"] for home in (ROOT, tmp_path)
    )
    assert pipeline.stale(tmp_path) == ["dvc.yaml", "studies/dvc.yaml", "overnight/dvc.yaml"]
    for stage in before:
        assert before[stage].get("do") == after[stage].get("do")
        if isinstance(new := after[stage].get("foreach"), dict):
            added = {name: item for name, item in new.items() if name not in before[stage]["foreach"]}
            assert all(name.startswith("mine") for name in added) and len(added) in (1, 2)
            assert not {"bach", "folk"} & {str(value) for item in added.values() for value in item.values()}
    assert after["comparison"]["foreach"][-1] == "mine"


def test_a_data_set_may_be_called_as_what_dvc_and_python_have_of_their_own(tmp_path):
    """`size`, `items` and the like: names of attributes, not of keys, where a file is filled in."""
    names = ("size", "items", "keys", "params", "data")
    for name in ("pipeline.yaml", "params.yaml"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "overnight").mkdir()
    shutil.copy(ROOT / "overnight" / "params.yaml", tmp_path / "overnight")
    text = (tmp_path / "params.yaml").read_text()
    entries = "".join(f"  {name}: {{kind: music, folder: a}}\n" for name in names)
    text = text.replace("\n  folk: {kind: music}\n", f"\n  folk: {{kind: music}}\n{entries}")
    (tmp_path / "params.yaml").write_text(text)
    (tmp_path / "dvc.yaml").write_text(pipeline.written(tmp_path)["dvc.yaml"])
    dvc_project(tmp_path)
    named = {stage for name in names for stage in (f"data@{name}", f"train@{name}-arvae")}
    assert json.loads(dvc(tmp_path, "status", "--json", *named).stdout).keys() == named


def _modules_under(source):
    """The project's modules that a piece of code imports, directly or through others, as relative paths."""
    seen, todo = set(), list(_names(source))
    while todo:
        name = todo.pop()
        for path in (ROOT / name.replace(".", "/") / "__init__.py", ROOT / f"{name.replace('.', '/')}.py"):
            module = path.relative_to(ROOT).as_posix()
            if path.is_file() and module not in seen and not module.startswith(GLUE):
                seen.add(module)
                todo += architecture.imported(path)
    return seen


def _names(source):
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))


@pytest.mark.parametrize(
    "stage", ["data", "train", "evaluate", "comparison", "playground", "tutorial", "site"]
)
def test_a_stage_depends_on_every_module_that_decides_its_results(stage):
    (body,) = [body for file, name, body in stages() if (file, name) == ("dvc.yaml", stage)]
    name = re.findall(r"notebooks/\w+\.ipynb", body["cmd"])[0]
    cells = nbformat.read(ROOT / name, as_version=4).cells
    used = _modules_under("\n".join(cell.source for cell in cells if cell.cell_type == "code"))
    left_out = {"train": DRAWS, "site": LOADS + DRAWS[1:]}.get(stage, LOADS)
    missing = {
        module
        for module in used
        if not module.startswith(left_out)
        and not any(module == dep or module.startswith(dep + "/") for dep in body["deps"])
    }
    assert not missing, f"pipeline.yaml: {name} uses {sorted(missing)} but does not depend on them"


# ---------------------------------------------------------------- small helpers under everything


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


COMMANDS = ("check", "pipeline", "readme", "site", "train", "weights")


@pytest.mark.parametrize("module", [*(f"compendium.{name}" for name in COMMANDS), "benchmarks.gpu"])
def test_a_command_outside_the_project_says_so_in_a_line(module, tmp_path):
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", module]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and not done.stdout
    assert done.stderr.endswith("run this from inside the project\n") and done.stderr.count("\n") == 1


@pytest.fixture
def bare(tmp_path):
    """The pipelines alone, of which nothing was run."""
    for name in ("params.yaml", "pipeline.yaml", "dvc.yaml", "studies/dvc.yaml", "overnight/dvc.yaml",
                 "overnight/params.yaml", "README.md"):  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_a_typo_in_the_definition_of_the_pipelines_is_named(bare, monkeypatch, capsys):
    monkeypatch.chdir(bare)
    text = (bare / "pipeline.yaml").read_text()
    for old, new, said in (
        ("    outs:", "    outz:", "'outz'"),
        ("in: [main,", "in: [mian,", "did you mean main"),
        ("<home>data", "<hme>data", "<hme>"),
        ("code: train", "code: trian", "trian"),
        ("stages:", "stages: [", "pipeline.yaml"),
        ("    notebook: 3_classifier classifier\n", "    notebook:\n", "is not made as it should be"),
    ):
        (bare / "pipeline.yaml").write_text(text.replace(old, new, 1))
        assert pipeline.main([]) == 1 and said in capsys.readouterr().err
        assert check.main([]) == 1 and said in capsys.readouterr().err
    (bare / "pipeline.yaml").write_text(text)
    settings = (bare / "params.yaml").read_text()
    assert "\n  images: [betavae, arvae]\n" in settings
    (bare / "params.yaml").write_text(settings.replace("  images: [betavae, arvae]\n", "  images: [arvae]\n"))
    assert pipeline.main([]) == 1
    assert "playground needs data/models/dsprites-betavae, which no stage makes" in capsys.readouterr().err
    (bare / "pipeline.yaml").unlink()
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "compendium.pipeline"]
    done = subprocess.run(command, cwd=bare, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "pipeline.yaml" in done.stderr and done.stderr.count("\n") == 1


def test_commands_refuse_arguments_that_they_do_not_know(bare, monkeypatch, capsys):
    monkeypatch.chdir(bare)
    before = {path: path.read_bytes() for path in bare.rglob("*") if path.is_file()}
    for command in (readme, pipeline, train, check, weights):
        assert command.main(["--help"]) == 0 and f"python -m {command.__name__}" in capsys.readouterr().out
    assert [readme.main(["--chek"]), pipeline.main(["--check"]), train.main(["studies", "x"])] == [2, 2, 1]
    said = capsys.readouterr().err
    assert "--chek" in said and "--check" in said and "'studies x'" in said
    assert weights.main(["overnite"]) == 1 and "overnite" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in bare.rglob("*") if path.is_file()} == before


def test_commands_find_the_whole_project_from_the_folder_of_a_pipeline(bare, monkeypatch, capsys):
    monkeypatch.chdir(bare / "overnight")
    assert pipeline.main([]) == 0 and capsys.readouterr().out == ""
    assert check.main([]) == 1 and "there is no dvc.lock" in capsys.readouterr().out
    monkeypatch.setattr(readme, "blocks", lambda home: {"results": str(home)})
    assert readme.main([]) == 0 and f"\n{bare}\n" in (bare / "README.md").read_text()
    assert train.main(["overnight"]) == 1
    start = "no prepared data of dsprites, mnist, bach, folk: prepare them with `dvc repro overnight/dvc"
    assert capsys.readouterr().err.startswith(start)
    assert train.main(["studies"]) == 1
    said = capsys.readouterr().err
    assert "`dvc repro data@mnist`, " in said and "`dvc repro studies/dvc.yaml:data@folk-own`, " in said


def test_the_remedy_is_a_stage_that_a_pipeline_has(bare):
    """Else DVC answers "stage not found"; of a data set's name the AR-VAE's training is meant."""
    for name, stage in {
        "mnist": "train@mnist-arvae",
        "mnist-fader": "studies/dvc.yaml:train@mnist-fader",
        "folk-own": "studies/dvc.yaml:train@folk-own-arvae",
    }.items():
        with pytest.raises(ModelError, match=f"train it with `dvc repro {stage}`$"):
            find(name, "seed0", bare)
    assert paths.remedy("data", bare / "data" / "mnist-10") == "`dvc repro studies/dvc.yaml:data@mnist-10`"
    night = bare / "overnight" / "data"
    assert paths.remedy("data", night, "bach") == "`dvc repro overnight/dvc.yaml:data@bach`"
    absent = paths.remedy("train", night, "mnist-fader", command="dvc repro -f")
    assert absent.startswith("`dvc repro -f overnight/dvc.yaml:train@mnist-fader`; no pipeline has it yet")
    assert "`setups` in overnight/params.yaml and run `python -m compendium.pipeline`" in absent
    assert "first add it to `datasets` in params.yaml" in paths.remedy("data", bare, "folc")


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


REPORTS = ("reports", "studies/reports", "overnight/reports")


def test_no_report_tells_where_it_was_made():
    books = [path for name in REPORTS for path in (ROOT / name).rglob("*.ipynb")]
    books += [path for name in REPORTS for path in (ROOT / name).glob("machine/*.json")]
    assert len(books) > 200
    place = re.compile(r"PosixPath\(|(?<![\w.])/(home|root|tmp|Users|work)/|/site-packages/")
    told = [book.name for book in books if place.search(book.read_text())]
    assert told == []


def test_no_report_holds_ids_drawn_at_random():
    """As those of pandas' Styler: the same run is to give the same bytes."""
    books = [path for name in REPORTS for path in (ROOT / name).rglob("*.ipynb")]
    assert len(books) > 100
    for path in books:
        assert not re.search(r'id=\\"T_[0-9a-f]{5}', path.read_text(encoding="utf-8")), path


# ---------------------------------------------------------------- make


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A folder with the Makefile, and an environment whose commands write down how they were called."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock", "requirements-torch.lock"):
        shutil.copy(ROOT / name, tmp_path / name)
    commands = tmp_path / ".venv" / "bin"
    commands.mkdir(parents=True)
    listing = 'case "$*" in *list*) printf "train@%s\\n" a b c d;; *train@b*) exit 255;; esac'
    packages = f'case "$*" in *purelib*) echo {tmp_path};; esac'
    for name, then in (("dvc", listing), ("python", packages), ("pip", ""), ("jupyter", "")):
        (commands / name).write_text(f'#!/bin/sh\necho "{name} $*" >> {tmp_path}/calls\n{then}\n')
        (commands / name).chmod(0o755)
    (tmp_path / ".venv" / "ready").write_text("cpu\n")
    monkeypatch.delenv("TORCH", raising=False)

    def make(*arguments):
        (tmp_path / "calls").write_text("")
        subprocess.run(["make", *arguments], cwd=tmp_path, check=True, capture_output=True)
        return (tmp_path / "calls").read_text().splitlines()

    return make


def test_a_setup_that_fails_leaves_the_others_to_be_made(made):
    calls = made("repro")
    assert {f"dvc --wait-for-lock repro -s train@{x} evaluate@{x}" for x in "abcd"} < set(calls)
    assert calls[-1] == "dvc repro"


def test_a_build_of_pytorch_asked_for_by_name_replaces_the_one_that_is_there(made):
    assert not any("pip" in call for call in [*made("lab"), *made("lab", "TORCH=cpu")])
    calls = made("lab", "TORCH=gpu")
    removed, *rest = (call for call in calls if "torch" in call)
    assert removed == "python -m pip uninstall -qq -y torch" and "requirements-torch.lock" in rest[0]
    assert not any("pip" in call for call in made("lab"))
    assert any("uninstall" in call for call in made("lab", "TORCH=cpu"))
