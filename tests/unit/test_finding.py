"""The finding says in one paragraph what the numbers say, for any experiment, and nothing that they cannot tell."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from sim.answer import answer
from sim.effects import LEAST, Change
from sim.facts import Facts
from sim.finding import finding
from sim.results import MANIFEST, Results
from tests.small_run import run_small, small_results


def said(results: Results) -> str:
    """Return the paragraph."""
    return "\n".join(finding(Facts(results)))


def changed(results: Results, to: Path, **experiment: object) -> Results:
    """Return a copy of results whose experiment says something else."""
    shutil.copytree(results.directory, to)
    manifest = json.loads((to / MANIFEST).read_text(encoding="utf-8"))
    replications = experiment.pop("replications", manifest["replications"])
    scenarios = experiment.pop("scenarios", list(manifest["resolved"]["scenarios"]))
    manifest["replications"] = replications
    manifest["resolved"]["experiment"] |= experiment
    kept = {name: raw for name, raw in manifest["resolved"]["scenarios"].items() if name in scenarios}
    manifest["resolved"]["scenarios"] = kept
    (to / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    return Results(to)


def with_difference(results: Results, to: Path, difference: float, low: float, high: float) -> Results:
    """Return a copy in which all differences are the same."""
    copy = changed(results, to)
    table = pd.read_csv(to / "comparison.csv")
    table[["difference", "ci_low", "ci_high"]] = (difference, low, high)
    table.to_csv(to / "comparison.csv", index=False)
    return copy


def test_it_stands_first_under_the_question_in_one_paragraph():
    text = answer(small_results())
    assert text.index("**Does the") < text.index("## Finding") < text.index("## What the numbers are")
    section = text.partition("## Finding\n\n")[2].partition("\n## ")[0]
    assert section.count("\n") == 1 and section.strip()


def test_the_largest_effect_is_told_with_its_interval():
    facts = Facts(small_results())
    change = Change(facts, "what_if", "baseline")
    first = change.of("shortage_days", 1)[0]
    text = said(small_results())
    assert f"{first.size.text()} more days of shortage of tin metal in {facts.the(first.place[1])}" in text
    assert first.size.between()[1:-1] in text
    assert "Under **Baseline** nobody in focus goes short in any run" in text


def test_effects_are_the_paired_differences_of_the_tables():
    facts = Facts(small_results())
    table = small_results().comparison
    for effect in Change(facts, "what_if", "baseline").effects:
        row = table[
            (table["scenario"] == "what_if") & (table["material"] == effect.place[0])
            & (table["country"] == effect.place[1]) & (table["metric"] == effect.metric) & (table["sector"] == "all")
        ].iloc[0]  # fmt: skip
        assert effect.size.mean == row["difference"]


def test_an_interval_with_zero_is_never_told_as_an_effect(tmp_path):
    text = said(with_difference(small_results(), tmp_path / "r", 2.0, -1.0, 5.0))
    assert "cannot tell any effect" in text and "more days" not in text and "higher by" not in text
    assert "cannot be told from zero" in text


def test_nothing_at_all_is_told_as_such(tmp_path):
    text = said(with_difference(small_results(), tmp_path / "r", 0.0, 0.0, 0.0))
    assert "**What if** changes nothing in any run, against **Baseline**" in text
    assert "are zero in every run" in text


def test_fewer_days_are_told_as_help_and_many_effects_are_counted(tmp_path):
    text = said(with_difference(small_results(), tmp_path / "r", -2.0, -3.0, -1.0))
    assert "2.00 fewer days of shortage of tin metal in" in text and "lower by 200 % of normal" in text


def test_one_scenario_alone_is_told_by_its_levels(tmp_path):
    text = said(changed(small_results(), tmp_path / "r", scenarios=["what_if"], references=[]))
    assert text.startswith("## Finding\n\nUnder **What if** Japan has ")
    assert "Against this" not in text and "differences looked at" not in text


def test_without_references_the_longest_shortage_is_named(tmp_path):
    text = said(changed(small_results(), tmp_path / "r", references=[]))
    assert "**What if** has the longest shortage" in text and "No scenario is named as a reference" in text


def test_a_focus_that_buys_nothing_is_told(tmp_path):
    focus = {"countries": ["CHN"], "materials": ["metal"]}
    assert "nothing to find" in said(changed(small_results(), tmp_path / "r", focus=focus))


def test_one_run_is_called_an_example(tmp_path):
    results = run_small(tmp_path, replications=1)
    assert "One run tells no interval" in said(results)


def test_few_runs_are_called_rough(tmp_path):
    assert "With 12 runs all of this is rough" in said(changed(small_results(), tmp_path / "r", replications=12))
    assert "rough" not in said(small_results())


def test_a_reference_before_the_last_is_compared_with_it(tmp_path):
    copy = changed(small_results(), tmp_path / "r", references=["baseline", "what_if"])
    text = said(copy)
    assert text.startswith("## Finding\n\nUnder **What if** Japan has ")
    assert "Compared with **Baseline**: " in text


def test_a_pair_without_a_reference_is_paired_from_the_single_runs():
    facts = Facts(small_results())
    table = facts.gain("what_if", "baseline", "metal", "JPN", "shortage_days")
    facts.references = []
    single = facts.gain("what_if", "baseline", "metal", "JPN", "shortage_days")
    assert table is not None and single is not None
    assert (single.mean, single.low, single.high) == pytest.approx((table.mean, table.low, table.high), rel=1e-9)


def test_every_metric_told_has_a_least_size():
    assert set(LEAST) == {"shortage_days", "price_mean"}


def test_proceeds_are_not_called_costs():
    text = said(small_results())  # the reserve is sold
    assert "it brings in USD" in text and "-USD" not in text
