"""Metal is moved, never made: mass closes in random worlds with random policies (design section 6, "Mass balance")."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, Phase, given, settings

from tests.probe import cases_of, watch
from tests.promises import Promises
from tests.random_worlds import stories
from tests.small_worlds import plan_of

EVERYTHING_ON = ["switches.noise=true", "switches.hazards=true", "switches.uncertainty=true", "demand=growth"]
FOCUS = ("experiments/tiny.yaml", "focus: {countries: [JPN]}", "focus: {countries: [CHN]}")

quick = settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=[Phase.explicit, Phase.generate],
)


@quick
@given(stories())
def test_everything_that_must_hold_holds_in_random_worlds(
    story: tuple[dict[str, Any], dict[str, dict[str, Any]]],
) -> None:
    """Mass within 1e-9 counted slot by slot, nothing negative, no NaN, causes that add up, every clearing converged."""
    tree, policies = story
    case = cases_of(plan_of(tree, policies=policies, overrides=[*EVERYTHING_ON, "horizon.end=2025-12-31"]))["what_if"]
    watch(case, Promises(), replications=6)
