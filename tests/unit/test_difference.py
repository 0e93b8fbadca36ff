"""What differs between two files is told in words, with all they inherit; what only looks different is not told."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sim.difference import CHANGED, ONLY_A, ONLY_B, Difference, difference, text
from sim.errors import ConfigError
from sim.values import same
from tests.worlds import as_yaml, write_world

BAN = {
    "type": "export_ban", "title": "The ban", "from": "CHN", "material": "ore", "start": "2025-01-15",
    "coverage": {"value": 0.5, "source": "survey"}, "source": "survey",
}  # fmt: skip


def scenario(root: Path, name: str, **values: Any) -> Path:
    path = root / "configs" / "scenarios" / f"{name}.yaml"
    path.write_text(as_yaml({"title": name.title(), **values}))
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_world(tmp_path)
    scenario(tmp_path, "first", extends="baseline", policies={"ban": BAN})
    return tmp_path


def told(a: Path, b: Path) -> Mapping[str, Difference]:
    return {each.address: each for each in difference(a, b).differences if each.part != "title"}


def test_the_same_file_is_equal(root):
    a = root / "configs" / "scenarios" / "first.yaml"
    assert text(difference(a, a)).endswith("Equal: the same policies in the same world, what is inherited included.")


def test_a_policy_that_only_one_has_is_told_by_title_type_countries_material_and_date(root):
    a, b = (root / "configs" / "scenarios" / f"{name}.yaml" for name in ("baseline", "first"))
    found = told(a, b)["policies.ban"]
    assert found.kind == ONLY_B
    assert found.words == "The ban (export ban, from China, of tin ore, from 2025-01-15)"
    assert told(b, a)["policies.ban"].kind == ONLY_A


def test_a_changed_key_is_told_with_both_values_their_sources_and_its_place(root):
    policies = {"ban": {"coverage": {"value": "80 %", "low": 0.7, "high": 0.9, "source": "assumption"}}}
    second = scenario(root, "second", extends="first", policies=policies)
    found = told(root / "configs" / "scenarios" / "first.yaml", second)
    assert list(found) == ["policies.ban.coverage"]
    words = found["policies.ban.coverage"].words
    assert words.startswith("coverage of “The ban”: 0.5 (survey) -> 80 % (0.7 to 0.9) (assumption) [configs/scenarios/")


def test_a_changed_world_is_told_in_words(root):
    change = {"consumers.JPN.metal.cover": {"value": "90 d", "source": "assumption"}}
    second = scenario(root, "second", extends="first", change=change)
    found = difference(root / "configs" / "scenarios" / "first.yaml", second)
    shown = text(found)
    assert "cover of tin metal in Japan: 60 d (survey 2024) -> 90 d (assumption)" in shown
    assert "The worlds are equal" not in shown


@pytest.mark.parametrize(
    ("keys", "equal"),
    [
        ({"coverage": {"value": "50 %", "source": "survey"}}, True),
        ({"material": ["ore"]}, True),
        ({"coverage": {"value": 0.5, "low": 0.4, "high": 0.6, "source": "survey"}}, False),
        ({"start": "2025-01-16"}, False),
    ],
)
def test_how_a_value_is_written_makes_no_difference(root, keys, equal):
    second = scenario(root, "second", extends="first", policies={"ban": keys})
    assert (not told(root / "configs" / "scenarios" / "first.yaml", second)) == equal


def test_a_default_that_is_written_out_makes_no_difference(root):
    bare = scenario(root, "bare", policies={"ban": {key: BAN[key] for key in BAN if key != "coverage"}})
    full = scenario(root, "full", policies={"ban": {**BAN, "coverage": 1}})
    half = scenario(root, "half", policies={"ban": BAN})
    assert not told(bare, full)
    assert "not given (which means 1.0) -> 0.5 (survey)" in told(bare, half)["policies.ban.coverage"].words


def test_experiments_differ_by_settings_scenarios_and_what_is_in_them(root):
    a = root / "experiments" / "tiny.yaml"
    b = root / "experiments" / "other.yaml"
    raw = a.read_text().replace("seed: 1", "seed: 2").replace("[baseline]\nfocus", "[baseline, first]\nfocus")
    b.write_text(raw + "change: {behaviour.theta: 0.2}\nsweep: {policies.ban.coverage: [0.1, 0.9]}\n")
    found = told(a, b)
    assert found["seed"].words == "seed: 1 -> 2"
    assert found["sweep.policies.ban.coverage"].words == "sweep of policies.ban.coverage: not given -> 0.1, 0.9"
    assert (found["first"].kind, found["first"].words) == (ONLY_B, "First (first)")
    assert found["behaviour.theta"].kind == CHANGED and found["behaviour.theta"].scenarios == ("baseline",)
    assert "first@coverage=0.1" not in found


def test_experiments_that_differ_in_settings_only_have_equal_worlds(root):
    a, b = root / "experiments" / "tiny.yaml", root / "experiments" / "other.yaml"
    b.write_text(a.read_text().replace("seed: 1", "seed: 2"))
    assert text(difference(a, b)).endswith("The worlds are equal: no number of mines, plants, trade or use differs.")


def test_minerals_differ_by_plants_and_numbers(root):
    tin = root / "configs" / "minerals" / "tin.yaml"
    other = tin.with_name("other.yaml")
    changed = (
        tin.read_text()
        .replace("use: 6 kt/yr", "use: 7000 t/yr")
        .replace("  mine: {title: The mine", "  pit: {title: A pit")
    )
    other.write_text(changed)
    found = told(tin, other)
    assert found["facilities.mine"].kind == ONLY_A and found["facilities.pit"].words == "A pit (pit)"
    assert found["consumers.JPN.metal.use"].words.startswith("use of tin metal in Japan: 6 kt/yr (survey 2024) -> 7000")


def test_bundles_of_policies_are_compared_as_they_stand(root):
    folder = root / "configs" / "policies"
    folder.mkdir()
    for name, share in (("one", 0.5), ("two", 0.6)):
        (folder / f"{name}.yaml").write_text(as_yaml({"title": name, "policies": {"ban": {**BAN, "coverage": share}}}))
    assert list(told(folder / "one.yaml", folder / "two.yaml")) == ["policies.ban.coverage"]


def test_other_files_are_compared_value_by_value(root):
    a = root / "configs" / "behaviour" / "default.yaml"
    b = a.with_name("other.yaml")
    b.write_text(a.read_text().replace("theta: 0.15", "theta: 0.2"))
    assert list(told(a, b)) == ["theta"]


def test_files_of_two_kinds_are_refused(root):
    with pytest.raises(ConfigError, match="Compare two files of one kind"):
        difference(root / "experiments" / "tiny.yaml", root / "configs" / "minerals" / "tin.yaml")


def test_plain_values_are_complete(root):
    a, b = (root / "configs" / "scenarios" / f"{name}.yaml" for name in ("baseline", "first"))
    plain = difference(a, b).plain()
    assert plain["equal"] is False and plain["kind"] == "a scenario"
    assert {each["address"] for each in plain["differences"]} == {"title", "policies.ban"}


@pytest.mark.parametrize(
    ("old", "new", "equal"),
    [
        ("12 kt/yr", "12000 t/yr", True),
        (0.5, "50 %", True),
        ("JPN", ["JPN"], True),
        ({"value": 1, "source": "a"}, 1, True),
        ({"JPN": 0.5}, {"JPN": "50 %"}, True),
        (True, 1, False),
        ("1 d", "1 t", False),
        ("JPN", "USA", False),
        (None, 0, False),
    ],
)
def test_same(old, new, equal):
    assert same(old, new) is equal
