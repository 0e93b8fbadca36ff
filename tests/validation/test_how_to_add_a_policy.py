"""The page on policies is complete: its file and its test, copied as they stand, run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from sim.policies import REGISTRY

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/how-to/add-a-policy.md"

RUN = """\
import importlib.util, sys
import pytest, sim.policies
spec = importlib.util.spec_from_file_location("sim.policies.port_fee", sys.argv[1])
module = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = module
spec.loader.exec_module(module)
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "--rootdir", sys.argv[2], sys.argv[3]]))
"""


def test_the_example_is_not_a_policy_that_ships() -> None:
    assert "port_fee" not in REGISTRY


def test_the_example_runs_and_passes_its_own_test(tmp_path: Path) -> None:
    """In a process of its own, for the type must not stay registered."""
    file, test = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "port_fee.py").write_text(file, encoding="utf-8")
    (tmp_path / "test_port_fee.py").write_text(test, encoding="utf-8")
    paths = [str(tmp_path / "port_fee.py"), str(tmp_path), str(tmp_path / "test_port_fee.py")]
    done = subprocess.run([sys.executable, "-c", RUN, *paths], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout
