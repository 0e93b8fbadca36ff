"""The answer says in plain words what the numbers say, and no more."""

import pytest
from rich.console import Console

from sim.answer import _change, answer, short_answer, tables
from sim.facts import Estimate, Facts
from sim.results import Results
from sim.wording import money, no_difference, usd
from tests.small_run import run_small, small_results


@pytest.fixture(scope="module")
def text():
    return answer(small_results())


def test_answer_begins_with_the_question(text):
    assert text.startswith("# Tiny\n")
    assert "**Does the smallest world hold together?**" in text
    assert "run 140 times from 1 January 2025 to 31 December 2025" in text


def test_numbers_are_those_of_the_tables(text):
    facts = Facts(small_results())
    days = facts.level("what_if", "metal", "JPN", "shortage_days")
    gain = facts.gain("what_if", "baseline", "metal", "JPN", "shortage_days")
    assert days is not None and gain is not None and gain.mean > 0
    assert f"Japan: {days.text()} days of shortage {days.between()}" in text
    assert f"{gain.text()} more days of shortage {gain.between()}" in text


def test_every_section_is_there(text):
    for heading in ("In short", "Days of shortage", "What changes compared with Baseline", "What it costs", "How sure"):
        assert f"## {heading}" in text
    assert "The release: -USD" in text
    assert "did not reach the tolerance" in text


def test_short_answer_is_the_beginning(text):
    assert text.startswith(short_answer(small_results()).rstrip("\n"))


def test_counterfactual_is_said_wherever_a_scenario_is_named(tmp_path):
    results = run_small(tmp_path, replications=2)
    results.manifest["resolved"]["scenarios"]["what_if"]["counterfactual"] = True
    text = answer(results)
    assert text.count("What if") == text.count("What if (counterfactual)") > 3
    console = Console(width=200, record=True, quiet=True)
    for table in tables(results):
        console.print(table)


def test_tables_show_every_scenario_and_country():
    console = Console(width=200)
    with console.capture() as capture:
        for table in tables(small_results()):
            console.print(table)
    shown = capture.get()
    for word in ("Baseline", "What if", "Japan", "United States", "none"):
        assert word in shown


@pytest.mark.parametrize(
    ("estimate", "said"),
    [
        (Estimate(0.0, 0.0, 0.0), "no difference in any run"),
        (Estimate(0.3, -0.1, 0.7), "no difference that this number of runs can tell (-0.10 to 0.70)"),
        (Estimate(0.01, 0.005, 0.015), "no difference to speak of"),
        (Estimate(0.04, 0.01, 0.07), "hardly any difference (0.01 to 0.07)"),
        (Estimate(0.3, float("nan"), float("nan")), "one run cannot tell a difference"),
    ],
)
def test_no_difference_is_told_honestly(estimate, said):
    assert no_difference(estimate, 0.05) == said


class Pair:
    """Facts of one difference."""

    def __init__(self, days: Estimate, price: Estimate) -> None:
        self.found = {"shortage_days": days, "price_mean": price}

    def gain(self, *place: str) -> Estimate:
        return self.found[place[-1]]

    def country(self, code: str) -> str:
        return code


def test_a_difference_is_told_with_its_direction_and_interval():
    pair = Pair(Estimate(-3.0, -4.0, -2.0), Estimate(0.2, 0.1, 0.3))
    assert _change(pair, "a", "b", "metal", "JPN") == (
        "JPN: 3.00 fewer days of shortage (2.00 to 4.00); the mean price is higher by 20.0 % of normal (10.0 to 30.0)."
    )
    unclear = Pair(Estimate(-3.0, -7.0, 1.0), Estimate(0.0, 0.0, 0.0))
    assert _change(unclear, "a", "b", "metal", "JPN") == (
        "JPN: days of shortage: no difference that this number of runs can tell (-7.00 to 1.00); "
        "mean price: no difference in any run."
    )


@pytest.mark.parametrize(
    ("amount", "said"),
    [(1.5e9, "USD 1.50 billion"), (-2e6, "-USD 2.00 million"), (300.0, "USD 300"), (0.0, "USD 0.00")],
)
def testmoney(amount, said):
    assert usd(amount) == said


def test_money_has_its_interval():
    assert money(Estimate(8.05e8, 7.77e8, 8.33e8)) == "USD 805 million (777 to 833 million)"
    assert money(Estimate(5e6, 5e6, 5e6)) == "USD 5.00 million"


def test_small_numbers_keep_no_sign_and_no_false_zero():
    assert str(Estimate(-0.001, -0.004, 0.001)) == "more than -0.01 (0.00 to 0.00)"
    assert Estimate(123.4, 100.0, 150.0).between() == "(100 to 150)"


def test_answer_needs_only_a_directory():
    assert answer(Results.load(small_results().directory)) == small_results().answer
