"""Figures are drawn from made-up results; what they say is read back from the figure itself."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from sim.errors import ResultsError
from sim.plots import draw_all
from sim.plots.attribution import OTHER, cause_tables, draw_attribution
from sim.plots.cover import draw_cover
from sim.plots.effect import draw_effect
from sim.plots.events import marks
from sim.plots.price import draw_price
from sim.plots.saved import Saved, in_words, listed
from sim.plots.shortage import draw_shortage, share_of_runs
from sim.plots.style import SCENARIO_COLOURS, note_columns

SCENARIOS = {
    "baseline": ("No controls", False),
    "controls_suspended": ("What happened: licences, the October tightening suspended", False),
    "china_controls": ("The October tightening was never suspended", True),
    "framework": ("US-Japan framework of October 2025", True),
    "framework_end_products_6_months": ("The framework, with first end products within six months", True),
    "allied_sourcing": ("Offtake from Malaysia, Thailand and Australia", True),
    "framework_and_allies": ("The framework and the allies together", True),
}
COUNTRIES = {"CHN": "China", "JPN": "Japan", "USA": "United States", "EU27": "European Union (27 members)", "KOR": "South Korea"}
MATERIALS = {"dytb_oxide": "Dysprosium and terbium oxide", "magnets": "Sintered NdFeB magnets"}
POLICIES = {
    "april_licence": "Licences for Dy, Tb and magnets",
    "october_tightening": "October tightening (0.1 % rule)",
    "kuantan_heavy": "Lynas heavy separation, Kuantan",
    "stillwater": "USA Rare Earth, Stillwater",
    "tenx": "MP 10X magnet plant",
    "japan_build": "Japan's complementary stockpile",
    "joint_release": "Joint release of stockpiles",
    "offtake": "Offtake from Malaysia, Thailand, Australia",
}
CAUSES = ("scarcity at this stage", "scarcity upstream", "sellers' caution", "rerouting", "added trade cost", "input cost, untraced")
METRICS = ("shortage_days", "price_mean", "procurement_cost_usd")
SEVERITY = (0.0, 0.45, 1.0, 0.75, 0.65, 0.7, 0.5)


def write_results(directory: Path, scenarios: int = 7, weeks: int = 261, runs: int = 512) -> Path:
    """Write results with the columns of `sim.results` and numbers that look like an embargo abroad."""
    directory.mkdir(parents=True, exist_ok=True)
    names = tuple(SCENARIOS)[:scenarios]
    dates = pd.date_range("2025-01-05", periods=weeks, freq=pd.Timedelta(days=int(261 * 7 / weeks)))
    rng = np.random.default_rng(1)
    _write_manifest(directory, names)
    _series(names, dates).to_parquet(directory / "series.parquet")
    _causes(names, dates).to_parquet(directory / "causes.parquet")
    replications = _replications(names, runs, rng)
    replications.to_parquet(directory / "replications.parquet")
    _summary(replications).to_csv(directory / "summary.csv", index=False)
    _comparison(replications, [n for n in ("baseline", "china_controls") if n in names]).to_csv(
        directory / "comparison.csv", index=False
    )
    _timeline(names).to_csv(directory / "timeline.csv", index=False)
    return directory


def _write_manifest(directory: Path, names: tuple[str, ...]) -> None:
    world = {"materials": {m: {"title": t} for m, t in MATERIALS.items()}, "countries": COUNTRIES}
    policies = {name: {"type": "x", "title": title} for name, title in POLICIES.items()}
    experiment = {
        "title": "A test", "independent_of": "CHN", "references": ["baseline", "china_controls"], "scenarios": list(names),
        "focus": {"countries": ["JPN", "USA", "EU27"], "materials": list(MATERIALS)},
    }  # fmt: skip
    resolved = {
        "experiment": experiment,
        "scenarios": {
            n: {"title": SCENARIOS[n][0], "counterfactual": SCENARIOS[n][1], "world": world, "policies": policies}
            for n in names
        },
    }
    (directory / "manifest.json").write_text(json.dumps({"seed": 1, "resolved": resolved}), encoding="utf-8")


def _pulse(days: np.ndarray, start: float, rise: float, fade: float) -> np.ndarray:
    after = np.clip(days - start, 0, None)
    return (1 - np.exp(-after / rise)) * np.exp(-after / fade)


def _log_price(days: np.ndarray, severity: float, country: str) -> np.ndarray:
    abroad = 0.05 if country == "CHN" else 1.0
    return abroad * severity * (1.3 * _pulse(days, 93, 20, 120) + 1.9 * _pulse(days, 310, 60, 500))


def _series(names: tuple[str, ...], dates: pd.DatetimeIndex) -> pd.DataFrame:
    days = np.asarray((dates - dates[0]).days, float)
    frames = []
    for i, name in enumerate(names):
        for material in MATERIALS:
            for j, country in enumerate(COUNTRIES):
                log = _log_price(days, SEVERITY[i] * (1 if material == "dytb_oxide" else 0.5), country)
                spread = 0.3 * np.minimum(days / 250, 1) + 0.35 * log
                cover = (35 + 8 * j) * np.exp(-0.4 * log)
                for series, middle, width in (
                    ("price_pressure", np.exp(log), spread),
                    ("days_of_cover", cover, np.full_like(cover, 0.15)),
                    ("fill_rate", 1 - 0.05 * log, np.zeros_like(log)),
                ):
                    frame = {"scenario": name, "date": dates, "mineral": "rare_earths", "material": material}
                    bands = {f"p{q:02d}": middle * np.exp(z * width) for q, z in zip((5, 25, 50, 75, 95), (-1.64, -0.67, 0, 0.67, 1.64), strict=True)}
                    frames.append(pd.DataFrame({**frame, "country": country, "series": series, "mean": middle, **bands}))
    return pd.concat(frames)


def _causes(names: tuple[str, ...], dates: pd.DatetimeIndex) -> pd.DataFrame:
    days = np.asarray((dates - dates[0]).days, float)
    shares = dict(zip((*CAUSES, "april_licence", "october_tightening", "offtake"), (0.3, 0.15, 0.1, -0.08, 0.002, 0.0, 0.33, 0.2, 0.001), strict=True))
    frames = []
    for i, name in enumerate(names):
        for material in MATERIALS:
            for country in COUNTRIES:
                log = _log_price(days, SEVERITY[i], country)
                for cause, share in shares.items():
                    row = {"scenario": name, "date": dates, "mineral": "rare_earths", "material": material}
                    frames.append(pd.DataFrame({**row, "country": country, "cause": cause, "mean": share * log}))
    return pd.concat(frames)


def _replications(names: tuple[str, ...], runs: int, rng: np.random.Generator) -> pd.DataFrame:
    luck = rng.normal(size=runs)
    frames = []
    for i, name in enumerate(names):
        for k, material in enumerate(MATERIALS):
            for country in COUNTRIES:
                hit = 0.1 if country == "CHN" else SEVERITY[i]
                days = np.clip(60 * hit * (1 - 0.4 * k) + 40 * hit * luck + 5 * rng.normal(size=runs) - 20, 0, None)
                values = {"shortage_days": days, "price_mean": 1 + hit * np.exp(0.3 * luck), "procurement_cost_usd": 4e8 * hit * np.exp(0.4 * luck)}
                row = {"scenario": name, "replication": np.arange(runs), "mineral": "rare_earths", "material": material}
                for sector in ("all", "defence"):
                    frames.append(pd.DataFrame({**row, "country": country, "sector": sector, **values}))
    return pd.concat(frames)


KEYS = ["scenario", "mineral", "material", "country", "sector"]


def _summary(replications: pd.DataFrame) -> pd.DataFrame:
    long = replications.melt([*KEYS, "replication"], list(METRICS), "metric", "value")
    grouped = long.groupby([*KEYS, "metric"])["value"]
    table = pd.DataFrame({"mean": grouped.mean(), "n": grouped.size()})
    half = 1.96 * grouped.std() / np.sqrt(table["n"])
    table["ci_low"], table["ci_high"] = table["mean"] - half, table["mean"] + half
    for q in (5, 50, 95):
        table[f"p{q:02d}"] = grouped.quantile(q / 100)
    return table.reset_index()[[*KEYS, "metric", "mean", "ci_low", "ci_high", "p05", "p50", "p95", "n"]]


def _comparison(replications: pd.DataFrame, references: list[str]) -> pd.DataFrame:
    long = replications.melt([*KEYS, "replication"], list(METRICS), "metric", "value")
    wide = long.pivot_table(index=[*KEYS[1:], "metric", "replication"], columns="scenario", values="value")
    frames = []
    for reference in references:
        for name in wide.columns.drop(reference):
            grouped = (wide[name] - wide[reference]).groupby([*KEYS[1:], "metric"])
            table = pd.DataFrame({"difference": grouped.mean(), "n": grouped.size()})
            half = 1.96 * grouped.std() / np.sqrt(table["n"])
            table["ci_low"], table["ci_high"] = table["difference"] - half, table["difference"] + half
            frames.append(table.reset_index().assign(scenario=name, reference=reference))
    return pd.concat(frames)


def _timeline(names: tuple[str, ...]) -> pd.DataFrame:
    rows = []

    def add(name: str, policy: str, event: str, middle: str, early: str = "", late: str = "", share: float = 1.0) -> None:
        rows.append((name, policy, POLICIES[policy], event, early or middle, middle, late or middle, share))

    for name in names[1:]:
        add(name, "april_licence", "announced", "2025-04-04")
        add(name, "april_licence", "in force", "2025-04-04")
        add(name, "october_tightening", "announced", "2025-10-09")
        if name == "controls_suspended":
            add(name, "october_tightening", "ends", "2025-11-07")
        else:
            add(name, "october_tightening", "in force", "2025-12-01")
        if "framework" in name:
            for policy in ("kuantan_heavy", "stillwater", "tenx", "japan_build", "joint_release"):
                add(name, policy, "announced", "2025-10-28")
                add(name, policy, "in force", "2026-04-28")
            add(name, "kuantan_heavy", "first output", "2027-06-01", "2027-01-01", "2028-02-01", 0.8)
            add(name, "stillwater", "first output", "2028-03-01", "2027-06-01", "2029-02-01", 0.7)
            add(name, "tenx", "first output", "2028-09-01", "2028-02-01", "2029-09-01", 0.01)
        if "all" in name:
            add(name, "offtake", "announced", "2025-10-26")
            add(name, "offtake", "first delivery", "2026-09-01", "2026-05-01", "2027-02-01", 1.0)
        rows.append((name, "april_licence", POLICIES["april_licence"], "never", "", "", "", 0.0))
    return pd.DataFrame(rows, columns=["scenario", "policy", "title", "event", "p05", "p50", "p95", "share"])
