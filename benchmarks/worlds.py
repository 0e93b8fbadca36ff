"""The worlds that are measured, smallest first."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from sim.cases import prepare
from sim.config.load import load_plan
from sim.engine import Case
from sim.synth import write_world

ROOT = Path(__file__).resolve().parents[1]
FIVE_YEARS_DAILY = ("horizon.end=2029-12-31", "horizon.review=1 d")
ONE_YEAR = ("horizon.end=2025-12-31",)


@dataclass(frozen=True)
class Measured:
    """A world to measure, and how many replications of it.

    Attributes
    ----------
    experiment, scenario : str
        Of this project's own; without an experiment the world is synthetic.
    facilities, materials, degree : int
        Of a synthetic world (see `sim.synth.write_world`).
    replications, quick : int
        Of the full measurement and of the quick one; 0 leaves it out.
    reference : int
        Replications of the reference model of the same network, in the full measurement.
    """

    title: str
    experiment: str = ""
    scenario: str = "baseline"
    facilities: int = 30
    materials: int = 3
    degree: int = 1
    overrides: tuple[str, ...] = ()
    replications: int = 128
    quick: int = 32
    reference: int = 0

    def load(self) -> tuple[Case, int]:
        """Return the case and its seed."""
        if self.experiment:
            return self._case(ROOT / "experiments" / f"{self.experiment}.yaml")
        with tempfile.TemporaryDirectory() as folder:
            return self._case(write_world(Path(folder) / "world", self.facilities, self.materials, self.degree))

    def _case(self, path: Path) -> tuple[Case, int]:
        plan = load_plan(path, self.overrides)
        return next(case for case in prepare(plan) if case.name == self.scenario), plan.experiment.seed


N30 = Measured("N30, tree-like", degree=1, overrides=FIVE_YEARS_DAILY, replications=1024, quick=128, reference=8)
WORLDS = {
    "n30": N30,
    "n30_multi": Measured(
        "N30, multi-sourced", degree=4, overrides=FIVE_YEARS_DAILY, replications=1024, quick=128, reference=8
    ),
    "default": Measured("default", "us_japan_framework", replications=512, quick=128),
    "controls": Measured(
        "default, controls", "us_japan_framework", "china_controls", replications=512, quick=0
    ),
    "nine": Measured("nine minerals", "nine_minerals", replications=128, quick=32),
    "synthetic_500": Measured(
        "synthetic, 500", facilities=500, materials=6, degree=6, overrides=ONE_YEAR,
        replications=128, quick=16, reference=3,
    ),
    "synthetic_5000": Measured(
        "synthetic, 5,000", facilities=5000, materials=6, degree=6, overrides=ONE_YEAR,
        replications=16, quick=2, reference=1,
    ),
}  # fmt: skip
"""N30: 30 facilities and their ten consumers, three stages, one supplier a buyer (more where a maker would have no
buyer), five years by day; its twin has four suppliers a buyer. The project's own worlds run five years by week."""
