"""Governance scores: every country of the world has one of each indicator, in the units of the publication."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
COUNTRIES = YAML(typ="safe", pure=True).load((ROOT / "configs/countries.yaml").read_text(encoding="utf-8"))
INDICATORS = ("rule_of_law", "control_of_corruption", "political_stability")

READ_AGAIN = {
    "rule_of_law": {"CHN": -0.04, "COD": -1.67, "AUS": 1.52, "IDN": -0.15, "RUS": -1.19},
    "control_of_corruption": {"CHN": -0.01, "COD": -1.48, "AUS": 1.78, "IDN": -0.49, "RUS": -1.10},
    "political_stability": {"CHN": -0.51, "COD": -2.04, "AUS": 0.92, "IDN": -0.40, "RUS": -1.13},
}
"""Worldwide Governance Indicators, 2024 update: estimates for 2023."""


@pytest.mark.parametrize("indicator", INDICATORS)
def test_every_country_has_a_score(indicator: str) -> None:
    scores = {name: score for name, score in COUNTRIES["governance"][indicator].items() if name.isupper()}
    assert set(scores) == set(COUNTRIES["countries"])
    for score in scores.values():
        value = score["value"] if isinstance(score, dict) else score
        assert -2.5 <= value <= 2.5


@pytest.mark.parametrize("indicator", INDICATORS)
def test_scores_are_those_published(indicator: str) -> None:
    scores = COUNTRIES["governance"][indicator]
    assert {name: scores[name] for name in READ_AGAIN[indicator]} == READ_AGAIN[indicator]
