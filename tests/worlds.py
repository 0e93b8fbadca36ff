"""A tiny world for tests: a mine in China, a smelter in Malaysia, consumers in Japan and the United States.

Balanced as it stands: the mine, the smelter and the two consumers together move 10 kt a year.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from sim.config.load import Plan, load_plan

COUNTRIES = """\
countries: {CHN: China, MYS: Malaysia, JPN: Japan, USA: United States}
blocs: {allies: [JPN, USA]}
"""

SOURCES = """\
survey:
  citation: A survey of everything, 2025.
  grade: official
  year: 2025
"""

BEHAVIOUR = """\
source: assumption
note: values of the tests
theta: 0.15
phi_s: 0.3
phi_b: 0.75
eps: 0.1
eps_L: 0.35
tau_L: 430 d
T_b: 30 d
T_s: 60 d
eps_s: 0.15
news_half_life: 100 d
precaution: 1
precaution_days: 130 d
gamma: 1.5
tau_K: 700 d
tau_0: 1500 d
smoothing: 45 d
urgency_smoothing: 60 d
kappa: 4
v_max: 3.4
pass_on: 0
demand_noise: 0.05
demand_noise_days: 90 d
price_noise: 0.3
price_noise_days: 260 d
utilisation: 85 %
shortage_tolerance: 5 %
class_shares: [0.2, 0.5, 0.3]
class_covers: [0.33, 0.88, 1.65]
"""

TIN = """\
mineral: tin
title: Tin
source: survey
year: 2024
materials:
  ore:
    title: tin ore
    basis: t contained Sn
    price: 20 USD/kg
    supplier_cover: {value: 30 d, low: 20 d, high: 45 d, source: assumption}
    units: {t_oxide: 0.8}
  metal:
    title: tin metal
    basis: t Sn
    price: 30 USD/kg
    supplier_cover: 30 d
processes:
  mining:
    title: mining
    unit: t of ore
    outputs: {ore: 1}
  smelting:
    title: smelting
    unit: t of metal
    inputs:
      ore: {amount: 1, value_share: 60 %, thrift: 0, cover: 45 d}
    outputs: {metal: 1}
facilities:
  mine: {title: The mine, country: CHN, process: mining, throughput: 10 kt/yr}
  smelter: {title: The smelter, country: MYS, process: smelting, throughput: 10 kt/yr}
consumers:
  JPN:
    metal: {use: 6 kt/yr, cover: 60 d, sectors: {solder: 50 %, tinplate: 30 %}, cover_classes: false}
  USA:
    metal: {use: 4 kt/yr, cover: 40 d, sectors: {solder: 60 %}, cover_classes: false}
trade:
  ore: {home_preference: 1}
  metal: {home_preference: 1}
transit:
  everywhere: {days: 21 d}
demand:
  growth: {title: growth, years: {2025: 100, 2035: 140}}
"""

BASELINE = """\
title: Baseline
question: What happens if nothing changes?
"""

EXPERIMENT = """\
title: Tiny
question: Does the smallest world hold together?
world: [tin]
horizon: {start: 2025-01-01, end: 2026-12-31, review: 7 d}
replications: 8
seed: 1
references: [baseline]
scenarios: [baseline]
focus: {countries: [JPN, USA]}
switches: {noise: false, hazards: false, uncertainty: false}
"""

FILES = {
    "configs/countries.yaml": COUNTRIES,
    "configs/sources.yaml": SOURCES,
    "configs/behaviour/default.yaml": BEHAVIOUR,
    "configs/minerals/tin.yaml": TIN,
    "configs/scenarios/baseline.yaml": BASELINE,
    "experiments/tiny.yaml": EXPERIMENT,
}
"""File -> text of a world that loads without problems."""

Edit = tuple[str, str, str]
"""File, text in it, and what stands there instead."""


def write_world(root: Path, files: Mapping[str, str] | None = None, edits: Iterable[Edit] = ()) -> Path:
    """Write the tiny world below a directory and return its experiment.

    Parameters
    ----------
    root : Path
    files : mapping, optional
        File -> text of files to add or replace.
    edits : iterable of (file, old, new)
        Replacements in a file; the old text must be there once.
    """
    texts = {**FILES, **(files or {})}
    for name, old, new in edits:
        assert texts[name].count(old) == 1, f"{old!r} stands {texts[name].count(old)} times in {name}"
        texts[name] = texts[name].replace(old, new)
    for name, text in texts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root / "experiments" / "tiny.yaml"


def tiny_plan(
    root: Path | None = None,
    *,
    policies: Mapping[str, Mapping[str, Any]] | None = None,
    overrides: Iterable[str] = (),
    edits: Iterable[Edit] = (),
    files: Mapping[str, str] | None = None,
    replications: int | None = None,
    seed: int | None = None,
) -> Plan:
    """Return the plan of the tiny world.

    Parameters
    ----------
    root : Path, optional
        Where to write it; a temporary directory that is gone afterwards unless given.
    policies : mapping, optional
        Policy name -> its keys; they make a second scenario, ``what_if``.
    overrides : iterable of str
        ``ADDRESS=VALUE``, for example ``switches.noise=true``.
    files, edits
        As of `write_world`.
    """
    if root is None:
        with tempfile.TemporaryDirectory() as folder:
            return tiny_plan(
                Path(folder), policies=policies, overrides=overrides, edits=edits, files=files,
                replications=replications, seed=seed,
            )  # fmt: skip
    files, edits = dict(files or {}), list(edits)
    if policies is not None:
        files["configs/scenarios/what_if.yaml"] = as_yaml(
            {
                "title": "What if",
                "extends": "baseline",
                "policies": {name: dict(raw) for name, raw in policies.items()},
            }
        )
        edits.append(("experiments/tiny.yaml", "scenarios: [baseline]", "scenarios: [baseline, what_if]"))
    path = write_world(root, files, edits)
    return load_plan(path, list(overrides), replications=replications, seed=seed)


def as_yaml(values: Mapping[str, Any]) -> str:
    """Return plain values as the text of a file."""
    text, yaml = StringIO(), YAML(typ="safe", pure=True)
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # order is meaning: upstream first
    yaml.dump(dict(values), text)
    return text.getvalue()
