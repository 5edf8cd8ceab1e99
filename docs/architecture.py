"""Draw docs/architecture.svg from the imports of the code: `python docs/architecture.py`.

A box is a sub-package or a module of `arvae` (grey; blue where the idea stands) or of `compendium` (yellow);
it stands above all that it imports. An arrow leads to what a box imports; those that follow from others are
left out.
"""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("arvae", "compendium")
SAYS = {  # what a box is for, and the column that it is drawn in
    "files": ("atomic writes", 1), "paths": ("where the project is", 2), "progress": ("lines, not bars", 4),
    "machine": ("times, apart", 3), "interrupts": ("Ctrl-C", 0),
    "losses": ("the formulas", 5), "metrics": ("one file each", 6), "music": ("readers, writers", 1),
    "datasets": ("four, and your own", 1), "params": ("params.yaml, checked", 1),
    "models": ("a network, a loss", 5), "fast": ("drop-in twins", 5), "training": ("runs, resumable", 3),
    "trained": ("TrainedModel", 3), "evaluation": ("codes and outputs", 6), "edit": ("your file, edited", 1),
    "notebook": ("runs a stage", 0),
    "labels": ("names, colours", 7), "figures": ("pure functions", 5), "tables": ("as people read them", 4),
    "findings": ("what was found", 6), "readme": ("its tables", 4), "site": ("the pages", 5),
    "playground": ("page, notebook, tutorial", 1), "pipeline": ("writes dvc.yaml", 2),
    "train": ("all runs at once", 2), "weights": ("that ship", 3), "check": ("is anything stale?", 3),
    "records": ("of evaluations", 5), "directions": ("in plain codes", 7),
}  # fmt: skip
WIDTH, HEIGHT, ACROSS, DOWN = 152, 42, 168, 84


def boxes() -> dict[str, Path]:
    """The sub-packages and modules of both packages: name -> folder or file."""
    found = {}
    for package in PACKAGES:
        found |= {path.stem: path for path in (ROOT / package).glob("[a-z]*.py")}
        found |= {path.parent.name: path.parent for path in (ROOT / package).glob("*/__init__.py")}
    return dict(sorted(found.items()))


def imported(path: Path) -> set[str]:
    """The modules that a file imports, at its top or inside functions, by their full names."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def graph() -> dict[str, set[str]]:
    """For each box the others that it imports."""
    every, found = boxes(), {}
    for box, path in every.items():
        files = [path] if path.is_file() else path.rglob("*.py")
        names = {tuple(name.split(".")) for file in files for name in imported(file)}
        found[box] = {name[1] for name in names if name[0] in PACKAGES and len(name) > 1} & set(every) - {box}
    return found


def below(box: str, edges: dict[str, set[str]]) -> set[str]:
    """All that a box imports, directly or through others."""
    seen, todo = set(), list(edges[box])
    while todo:
        if (name := todo.pop()) not in seen:
            seen.add(name)
            todo += edges[name]
    return seen


def draw() -> str:
    """The picture, as SVG."""
    every, edges = boxes(), graph()
    under = {box: below(box, edges) for box in edges}
    level: dict[str, int] = {}
    for box in sorted(edges, key=lambda one: len(under[one])):
        level[box] = 1 + max((level[other] for other in edges[box]), default=-1)
    width = (1 + max(column for _, column in SAYS.values())) * ACROSS
    height = (1 + max(level.values())) * DOWN
    place = {box: (8 + SAYS[box][1] * ACROSS, height - DOWN * (level[box] + 1) + 16) for box in edges}
    parts = []
    for box, others in edges.items():
        for other in sorted(others):
            if not any(other in under[between] for between in others - {other}):
                (x, y), (u, v) = place[box], place[other]
                parts.append(
                    f'<line x1="{x + WIDTH / 2:g}" y1="{y + HEIGHT:g}" x2="{u + WIDTH / 2:g}" y2="{v - 4:g}" '
                    'stroke="#8a8a8a" marker-end="url(#head)"/>'
                )
    for box, (x, y) in place.items():
        middle = x + WIDTH / 2
        fill = "#d9e8f6" if box in ("losses", "models", "trained", "metrics") else "#f4f4f0"
        if PACKAGES[1] in every[box].parts:
            fill = "#fbf0d0"
        parts += [
            f'<rect x="{x:g}" y="{y:g}" width="{WIDTH}" height="{HEIGHT}" fill="{fill}" stroke="#555"/>',
            f'<text x="{middle:g}" y="{y + 18:g}" font-weight="bold">{box}</text>',
            f'<text x="{middle:g}" y="{y + 34:g}" font-size="11" fill="#444">{SAYS[box][0]}</text>',
        ]
    head = (
        '<defs><marker id="head" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0L8 4L0 8z" fill="#8a8a8a"/></marker></defs>'
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            'font-family="sans-serif" font-size="13" text-anchor="middle">',
            head,
            f'<rect width="{width}" height="{height}" fill="white"/>',
            *parts,
            "</svg>\n",
        ]
    )


if __name__ == "__main__":
    Path(__file__).with_suffix(".svg").write_text(draw(), encoding="utf-8")
