"""`python -m compendium.pipeline`: write the pipelines' dvc.yaml files from pipeline.yaml and params.yaml.

DVC cannot share stages between files, nor look up which default holds for a data set: both are done here, so
that a stage is defined once and a data set is one entry of params.yaml.
"""

import io
import json
import posixpath
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from arvae import params, paths
from arvae.files import write_text
from arvae.params.faults import unknown

KEYS = ("in", "each", "desc", "notebook", "code", "params", "deps", "outs", "committed", "metrics", "plots")
KEYS += ("then",)
HEADER = (
    "# Written by `python -m compendium.pipeline` from pipeline.yaml and params.yaml: edit those, not this.\n"
)


def written(home: Path) -> dict[str, str]:
    """The text of each pipeline's file, by its path from the root. ParamsError for what is wrong."""
    try:
        return _written(home)
    except KeyError as error:
        raise params.ParamsError(f"pipeline.yaml: there is no {error}") from error
    except (YAMLError, TypeError, AttributeError) as error:  # no YAML; empty where there should be something
        raise params.ParamsError(f"pipeline.yaml is not made as it should be: {error}") from error


def _written(home: Path) -> dict[str, str]:
    definition = YAML(typ="safe").load((home / "pipeline.yaml").read_text(encoding="utf-8"))
    pipelines = definition["pipelines"]
    for stage, body in definition["stages"].items():
        for names, known in ((body, [*KEYS, *pipelines]), (body["in"], pipelines)):
            if odd := next((name for name in names if name not in known), None):
                raise params.ParamsError(unknown(f"pipeline.yaml: {stage}", odd, known))
    files, every = {}, {}
    for name, own in pipelines.items():
        given = params.load(home / own["home"] / "params.yaml")
        text, items = json.dumps(definition["stages"]), _items(given, name)
        scale = {"scale": given.scale if own["home"] else "${scale}"}
        for key, value in (own | scale).items():
            text = text.replace(f"<{key}>", value)
        if odd := re.search(r"<\w+>", text):
            raise params.ParamsError(f"pipeline.yaml: nothing is called {odd[0]}")
        stages = {
            stage: _stage(
                body | {"deps": [*body.get("deps", ()), *body.get(name, ())]}, definition["code"], items, own
            )
            for stage, body in json.loads(text).items()
            if name in body["in"]
        }
        # DVC reads the params.yaml beside its file unasked; a home has one, and needs no other.
        up = "" if own["home"] else _up(own)
        head: dict[str, Any] = {"vars": [f"{up}/params.yaml"]} if up else {}
        files[own["file"]] = HEADER + _dumped(head | {"stages": stages})
        every[own["file"]] = stages
    _complete(every)
    return files


def _complete(pipelines: dict[str, dict[str, Any]]) -> None:
    """ParamsError for a stage that needs data or weights which no stage makes: its setup was taken out."""
    needed, made = [], set()
    for file, stages in pipelines.items():
        for name, stage in stages.items():
            one, each = stage.get("do", stage), stage.get("foreach", [None])
            for key in each:
                values = {"key": key, "item": each[key] if isinstance(each, dict) else key}
                needed += [(file, name, _filled(dep, values)) for dep in one["deps"]]
                made |= {
                    _filled(next(iter(out)) if isinstance(out, dict) else out, values) for out in one["outs"]
                }
    for file, name, dep in needed:
        if re.match(r"(\w+/)?data/(prepared|models|codes)/[^$]+$", dep) and dep not in made:
            raise params.ParamsError(
                f"{file}: the stage {name} needs {dep}, which no stage makes with these data sets and "
                "setups: name it in params.yaml again, or take the stage's need of it out of pipeline.yaml"
            )


def _filled(text: str, values: dict[str, Any]) -> str:
    """`text` with what DVC will put in for ${key}, ${item}, ${item.name}."""

    def value(match: re.Match[str]) -> str:
        return str(values[match[1]][match[2]] if match[2] else values[match[1]])

    return re.sub(r"\$\{(key|item)(?:\.(\w+))?\}", value, text)


def stale(home: Path) -> list[str]:
    """The files that are not what pipeline.yaml and params.yaml say."""
    return [
        name
        for name, text in written(home).items()
        if not (home / name).is_file() or (home / name).read_text(encoding="utf-8") != text
    ]


def _items(given: params.Params, pipeline: str) -> dict[str, Any]:
    """For a data set, a setup, a comparison: what a pipeline has of them, and which entries hold for each."""
    main = pipeline != "studies"
    data, training = (getattr(given.scales[given.scale], part) for part in ("data", "training"))
    setups = given.setups if main else given.study_setups
    return {
        "data set": {
            name: {"sizes": given.entry(data, name)}
            for name in (given.datasets if main else given.studies.datasets)
        },
        "setup": {
            key: {
                **setup._asdict(),
                "like": given.entry(given.networks.keys() - {setup.dataset}, setup.dataset),
                "network": given.entry(given.networks, setup.dataset),
                "training": given.entry(training, setup.dataset),
            }
            for key, setup in setups.items()
        },
        "direction": {} if main else {name: setup._asdict() for name, setup in given.directions.items()},
        "comparison": [
            name for name in given.datasets if {f"{name}-betavae", f"{name}-arvae"} <= setups.keys()
        ],
    }


def _up(pipeline: dict[str, str]) -> str:
    """The way from a pipeline's folder to the project's root; "" for the main one."""
    return "/".join([".."] * pipeline["file"].count("/"))


def _stage(
    body: dict[str, Any], code: dict[str, list[str]], items: dict[str, Any], pipeline: dict[str, str]
) -> Any:
    book, target, *values = body["notebook"].split(" ", 2)
    source, executed = (
        f"notebooks/{book}.ipynb",
        posixpath.normpath(f"{pipeline['reports']}/notebooks/{target}.ipynb"),
    )
    parts = body["code"] if isinstance(body["code"], list) else [body["code"]]
    modules = dict.fromkeys(path for part in parts for path in code[part])
    own = [f"{pipeline['home']}params.yaml"] if pipeline["home"] else []
    stage = {
        "desc": body["desc"],
        "wdir": _up(pipeline),
        "cmd": " ".join(["python -m arvae.notebook", source, executed, *values])
        + (f" && {body['then']}" if "then" in body else ""),
        "params": body.get("params"),
        "deps": [source, *own, *body["deps"], *modules],
        "outs": [
            *body.get("outs", ()),
            *({path: {"cache": False}} for path in (executed, *body["committed"])),
        ],
        "metrics": body.get("metrics"),
        "plots": body.get("plots"),
    }
    stage = {key: value for key, value in stage.items() if value}
    return {"foreach": items[body["each"]], "do": stage} if "each" in body else stage


def _dumped(value: Any) -> str:
    yaml, text = YAML(typ="rt"), io.StringIO()
    yaml.width, yaml.default_flow_style = 1000, False
    yaml.representer.ignore_aliases = lambda _: True
    yaml.dump(value, text)
    return text.getvalue()


def main(arguments: Sequence[str] = ()) -> int:
    """Write the files that are stale; exit status 1 with the reason where params.yaml is unsound."""
    if {"-h", "--help"} & set(arguments):
        print(__doc__)
        return 0
    if arguments:
        print(f"there are no arguments, but: {' '.join(arguments)}", file=sys.stderr)
        return 2
    home = paths.project()
    try:
        files = written(home)
    except params.ParamsError as error:
        print(error, file=sys.stderr)
        return 1
    for name in stale(home):
        write_text(home / name, files[name])
        print(f"{name} written")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
