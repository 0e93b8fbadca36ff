"""The layers of the package hold, and nothing reaches past them (style page, section 3)."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "sim").rglob("*.py"))

RANDOM = {"draws.py"}
"""The one file that may make random numbers."""

MATPLOTLIB = "plots"


def name_of(path: Path) -> str:
    return path.relative_to(ROOT / "sim").as_posix()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.Module) -> Iterator[str]:
    """Yield every module, or name of a module, that a file imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def begins(name: str, module: str) -> bool:
    return name == module or name.startswith(f"{module}.")


def test_a_file_imports_only_from_rows_above_it() -> None:
    """import-linter, with the layers of pyproject.toml."""
    tool = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([tool, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_nobody_makes_random_numbers_but_draws(path: Path) -> None:
    """No global generator and no generator of one's own: neither the modules nor ``np.random``."""
    if name_of(path) in RANDOM:
        return
    tree = tree_of(path)
    banned = ("random", "numpy.random", "scipy.stats.qmc")
    assert [name for name in imports(tree) for module in banned if begins(name, module)] == []
    reached = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in ("random", "rvs", "seed")
        and isinstance(node.value, ast.Name)
        and node.value.id in ("np", "numpy", "stats", "scipy")
    ]
    assert reached == []


def test_draws_keeps_no_global_generator() -> None:
    """Its generators are made from a key where they are used."""
    tree = tree_of(ROOT / "sim" / "draws.py")
    assigned = [node for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign)]
    assert not any("random" in ast.unparse(node).lower() for node in assigned)
    assert "np.random.seed" not in ast.unparse(tree)
    assert "default_rng" not in ast.unparse(tree)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_only_plots_draw(path: Path) -> None:
    if MATPLOTLIB not in path.parts:
        assert [name for name in imports(tree_of(path)) if begins(name, "matplotlib")] == []


def test_policies_and_nodes_never_import_each_other() -> None:
    for folder, other in (("policies", "nodes"), ("nodes", "policies")):
        for path in (ROOT / "sim" / folder).glob("*.py"):
            assert [name for name in imports(tree_of(path)) if begins(name, f"sim.{other}")] == [], name_of(path)


def test_a_policy_never_imports_another() -> None:
    """What several share stands in a file that registers no type, such as the base."""
    files = [path for path in (ROOT / "sim" / "policies").glob("*.py") if path.name != "__init__.py"]
    types = [path.stem for path in files if "\n@policy(" in path.read_text(encoding="utf-8")]
    for path in files:
        seen = [name for name in imports(tree_of(path)) if begins(name, "sim.policies")]
        assert not any(begins(name, f"sim.policies.{other}") for name in seen for other in types), name_of(path)


def test_only_state_writes_stocks() -> None:
    """Metal is moved by the verbs of `sim.state`; nobody else assigns to a stock."""
    stocks = {"supplier", "buyer", "in_transit", "in_return", "pipeline", "returning", "made", "used", "left"}
    for path in FILES:
        if name_of(path) == "state.py":
            continue
        for node in ast.walk(tree_of(path)):
            targets = (
                node.targets
                if isinstance(node, ast.Assign)
                else [node.target]
                if isinstance(node, ast.AugAssign)
                else []
            )
            for target in targets:
                while isinstance(target, ast.Subscript):
                    target = target.value
                held = (
                    isinstance(target, ast.Attribute)
                    and target.attr in stocks
                    and isinstance(target.value, ast.Attribute)
                )
                assert not (held and target.value.attr == "stocks"), f"{name_of(path)}:{node.lineno}"  # type: ignore[union-attr, attr-defined]
