"""Print ``docs/wire-formats.md``: what the modules of the protocol say, with their values."""

import ast
import importlib
import inspect
from enum import IntEnum
from types import ModuleType

_TITLES = {
    "numbers": "Numbers",
    "symbols": "Symbols",
    "modes": "Modes of the transmitter",
    "records": "Tag records",
    "downlink": "Downlink frame",
    "link": "Board link",
    "identity": "Identity block",
}
_HEAD = """\
# Wire formats

What crosses between pulses, boards and hosts. Written by `make docs` from the package
`keybeam.protocol`, the one place where it is defined.
"""


def _described(body: list[ast.stmt]) -> dict[str, str]:
    """Descriptions that stand as a string after the assignment of a name."""
    found: dict[str, str] = {}
    for statement, follower in zip(body, [*body[1:], ast.Pass()], strict=True):
        target = None
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            target = statement.targets[0].id
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            target = statement.target.id
        if target and isinstance(follower, ast.Expr) and isinstance(follower.value, ast.Constant):
            found[target] = " ".join(str(follower.value.value).split())
    return found


def _table(rows: list[tuple[str, str, str]], kind: str) -> list[str]:
    lines = [f"| {kind} | value | meaning |", "| --- | --- | --- |"]
    escaped = (tuple(cell.replace("|", "\\|") for cell in row) for row in rows)
    return [*lines, *(f"| `{name}` | {value} | {text} |" for name, value, text in escaped), ""]


def _shown(name: str, value: object) -> str:
    is_pattern = name.endswith(
        ("MASK", "SYNC_WORD", "SYNC_FILL", "POLYNOMIAL", "MAGIC", "SEED", "INITIAL")
    )
    return f"{value:#x}" if is_pattern else str(value)


def _section(module: ModuleType, title: str) -> list[str]:
    tree = ast.parse(inspect.getsource(module))
    summary, *rest = (inspect.getdoc(module) or "").split("\n", 1)
    lines = [f"## {title}", "", summary, ""]
    if rest and rest[0].strip():
        lines += ["```text", rest[0].strip("\n"), "```", ""]
    constants = [
        (name, _shown(name, getattr(module, name)), text)
        for name, text in _described(tree.body).items()
        if not name.startswith("_") and isinstance(getattr(module, name), int | float | str)
    ]
    if constants:
        lines += _table(constants, "constant")
    for node in tree.body:
        members = getattr(module, node.name) if isinstance(node, ast.ClassDef) else None
        if not (isinstance(node, ast.ClassDef) and inspect.isclass(members)):
            continue
        if issubclass(members, IntEnum) or hasattr(members, "__members__"):
            texts = _described(node.body)
            summary = (ast.get_docstring(node) or "").split("\n", 1)[0]
            rows = [
                (name, str(int(member)), texts.get(name, ""))
                for name, member in members.__members__.items()
            ]
            lines += [f"### {node.name}", "", summary, "", *_table(rows, "name")]
    return lines


def main() -> None:
    """Print the page."""
    lines = [_HEAD]
    for name, title in _TITLES.items():
        lines += _section(importlib.import_module(f"keybeam.protocol.{name}"), title)
    print("\n".join(lines).rstrip("\n"))


if __name__ == "__main__":
    main()
