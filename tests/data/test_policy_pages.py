"""docs/policies.md: every type is explained, and every example on the page loads in the world that ships."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from sim.cases import load
from sim.policies import REGISTRY

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/policies.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))


def examples(kind: str) -> dict[str, Any]:
    """Return the policies in the examples of a section."""
    found: dict[str, Any] = {}
    for block in re.findall(r"```yaml\n(.*?)```", SECTIONS[kind], re.DOTALL):
        found |= YAML(typ="safe").load(block)["policies"]
    return found


@pytest.mark.parametrize("kind", sorted(REGISTRY))
def test_every_type_has_a_section_with_an_example(kind: str) -> None:
    assert kind in SECTIONS
    assert kind in {policy["type"] for policy in examples(kind).values()}


def test_sections_stand_in_order() -> None:
    kinds = [name for name in SECTIONS if name in REGISTRY]
    assert kinds == sorted(kinds)


def test_every_example_loads(tmp_path: Path) -> None:
    for part in ("configs", "experiments"):
        shutil.copytree(ROOT / part, tmp_path / part)
    policies: dict[str, Any] = {}
    for kind in SECTIONS.keys() & REGISTRY.keys():
        given = examples(kind)
        assert not policies.keys() & given.keys(), "names of examples must differ"
        policies |= given
    yaml = YAML()
    scenario = {"extends": "baseline", "title": "All examples", "policies": policies}
    yaml.dump(scenario, tmp_path / "configs/scenarios/examples.yaml")
    experiment = yaml.load((ROOT / "experiments/whole_world.yaml").read_text(encoding="utf-8"))
    experiment["scenarios"] = ["baseline", "examples"]
    yaml.dump(experiment, tmp_path / "experiments/examples.yaml")
    _, cases = load(tmp_path / "experiments/examples.yaml")
    assert set(cases[1].policies) == set(policies)
