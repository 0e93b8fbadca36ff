"""The code stays small and explains itself (style page, sections 2 and 5)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "sim").rglob("*.py"))

MOST_LINES = 400
LONGER = {
    "market/equilibrium.py": "the kernel, its equations beside it",
    "config/schema.py": "one record per section of a file",
    "tables.py": "one table per saved file",
    "nodes/markets.py": "one review of the markets, step by step",
}
"""Files that may be longer, and why."""

MOST_IN_A_FUNCTION = 60
LONG_FUNCTIONS = ("market/", "lanes.py", "hazards.py", "recorder.py", "trade.py", "plots/", "nodes/markets.py")
"""Where compiled kernels and drawings live."""


def name_of(path: Path) -> str:
    return path.relative_to(ROOT / "sim").as_posix()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def public(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, ast.ClassDef | ast.FunctionDef]]:
    """Yield public classes, functions and methods of a module or class."""
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            yield f"{prefix}{node.name}", node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body, f"{prefix}{node.name}.")


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_everything_public_explains_itself(path: Path) -> None:
    tree = tree_of(path)
    assert ast.get_docstring(tree), "no module docstring"
    silent = [name for name, node in public(tree.body) if not ast.get_docstring(node) and not _records(path, node)]
    assert silent == []


def _records(path: Path, node: ast.AST) -> bool:
    """Whether it is a record of a configuration file whose fields are described one by one."""
    return isinstance(node, ast.ClassDef) and path.name == "schema.py"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_everything_public_has_type_hints(path: Path) -> None:
    for name, node in public(tree_of(path).body):
        if isinstance(node, ast.FunctionDef):
            bare = [arg.arg for arg in [*node.args.args, *node.args.kwonlyargs] if arg.annotation is None]
            assert [arg for arg in bare if arg not in ("self", "cls")] == [], name
            assert node.returns is not None, name


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_file_is_long_without_a_reason(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MOST_LINES or name_of(path) in LONGER, f"{lines} lines"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_function_is_long_but_kernels(path: Path) -> None:
    if name_of(path).startswith(LONG_FUNCTIONS):
        return
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef):
            doc = ast.get_docstring(node, clean=False)
            length = (node.end_lineno or node.lineno) - node.lineno + 1 - (len(doc.splitlines()) + 1 if doc else 0)
            assert length <= MOST_IN_A_FUNCTION, f"{node.name}: {length} lines"


def test_every_exception_to_length_is_still_there() -> None:
    """A file that has become short again leaves the list."""
    for name in LONGER:
        assert (ROOT / "sim" / name).exists(), name
