"""Draw docs/architecture.svg from the imports of the code: `python docs/architecture.py`.

A box is a sub-package or a module of `arvae`; it stands above all that it imports. An arrow leads to what a
box imports; those that follow from others are left out.
"""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "arvae"
SAYS = {  # what a box is for, and the column that it is drawn in
    "files": ("atomic writes", 0), "paths": ("where the project is", 1), "progress": ("lines, not bars", 4),
    "machine": ("times, apart", 2), "interrupts": ("Ctrl-C", 3),
    "losses": ("the formulas", 2), "metrics": ("one file each", 3), "music": ("readers, writers", 1),
    "datasets": ("four, and your own", 1), "params": ("params.yaml, checked", 1),
    "notebook": ("runs a stage", 0), "pipeline": ("writes dvc.yaml", 1), "check": ("is anything stale?", 1),
    "models": ("a network, a loss", 2), "fast": ("drop-in twins", 2), "training": ("runs, resumable", 2),
    "trained": ("TrainedModel", 3), "weights": ("that ship", 1),
    "evaluation": ("codes and outputs", 4),
    "report": ("figures, tables, site", 4), "edit": ("your file, edited", 2),
    "playground": ("page, notebook, tutorial", 2),
}  # fmt: skip
WIDTH, HEIGHT, ACROSS, DOWN = 152, 42, 168, 84


def boxes() -> list[str]:
    """The sub-packages and modules of arvae."""
    modules = [path.stem for path in PACKAGE.glob("[a-z]*.py")]
    return sorted([*modules, *(path.parent.name for path in PACKAGE.glob("*/__init__.py"))])


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
    for box in every:
        files = [PACKAGE / f"{box}.py"] if (PACKAGE / f"{box}.py").exists() else (PACKAGE / box).rglob("*.py")
        names = {name.split(".")[1] for file in files for name in imported(file) if name.startswith("arvae.")}
        found[box] = names & set(every) - {box}
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
    edges = graph()
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
