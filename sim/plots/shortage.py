"""Shortage days: how they are spread over runs, by country and scenario."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from sim.plots.saved import Saved, listed
from sim.plots.style import INK, SOFT, Array, Sheet, dark, panel_title, row_title, wrap

METRIC = "shortage_days"

MEAN = "mean, with its 95 % interval"


def draw_shortage(saved: Saved) -> Figure:
    """Return the spread of shortage days, a row of panels per material and a column per country."""
    materials = saved.materials
    title = f"How many days would buyers of {listed([saved.of_material(m) for m in materials])} go short?"
    years = (saved.series["date"].max() - saved.series["date"].min()).days / 365.25
    subtitle = (
        f"Days of shortage over the {years:.0f} years of the study (mean over a country's plants or users). "
        "The right-hand column says in how many runs anyone goes short."
    )
    count = len(saved.scenarios)
    sheet = Sheet(panel=(2.25, 0.4 * count), gap=(0.75, 1.15), left=2.45, right=0.75, head=0.8, foot=0.85)
    figure, grid = sheet.grid(len(materials), len(saved.countries), title, subtitle)
    for row, material in zip(grid, materials, strict=True):
        runs = saved.runs(METRIC, material)
        top = _top(runs)
        for axes, country in zip(row, saved.countries, strict=True):
            here = runs[runs["country"] == country]
            _panel(axes, saved, material, country, here, top)
            panel_title(axes, saved.country(country), SOFT, 16)
            axes.tick_params(axis="y", labelleft=axes is row[0], length=0)
            if row is grid[-1]:
                axes.set_xlabel("days of shortage")
        name_rows(row[0], saved, saved.scenarios)
        row_title(row[0], saved.material(material), sheet, 38)
    _key(figure)
    return figure


def _top(runs: pd.DataFrame) -> float:
    """Return an end of the axis that shows nine runs in ten of every row."""
    high = runs.groupby(["scenario", "country"])[METRIC].quantile(0.95).max()
    return max(float(high) if np.isfinite(high) else 0.0, 1.0) * 1.06


def name_rows(axes: Axes, saved: Saved, scenarios: Sequence[str]) -> None:
    """Name the rows of a panel after scenarios, each in its colour."""
    axes.set_yticks(range(len(scenarios)), ["\n".join(wrap(saved.label(name), 31)) for name in scenarios])
    for label, name in zip(axes.get_yticklabels(), scenarios, strict=True):
        label.set_color(dark(saved.colour(name)))
        label.set_linespacing(1.0)


def _panel(axes: Axes, saved: Saved, material: str, country: str, runs: pd.DataFrame, top: float) -> None:
    axes.set_ylim(len(saved.scenarios) - 0.5, -0.5)
    axes.set_yticks(range(len(saved.scenarios)))
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.set_xlim(-0.02 * top, top)
    if runs.empty:
        axes.text(0.5, 0.5, "buys none", transform=axes.transAxes, ha="center", color=SOFT)
        return
    axes.text(1.04, 1.03, "runs short", transform=axes.transAxes, ha="left", va="bottom", fontsize=7.5, color=SOFT)
    for place, scenario in enumerate(saved.scenarios):
        values = runs.loc[runs["scenario"] == scenario, METRIC].dropna().to_numpy(float)
        if values.size:
            _row(axes, place, values, saved.colour(scenario), _interval(saved, scenario, material, country))
            axes.text(
                1.04, place, share_of_runs(values), transform=axes.get_yaxis_transform(), va="center", fontsize=8,
                color=INK,
            )  # fmt: skip


def _interval(saved: Saved, scenario: str, material: str, country: str) -> tuple[float, float, float] | None:
    """Return mean and 95 % interval from the summary."""
    s = saved.summary
    found = s[
        (s["scenario"] == scenario) & (s["material"] == material) & (s["country"] == country)
        & (s["sector"] == "all") & (s["metric"] == METRIC)
    ]  # fmt: skip
    if found.empty:
        return None
    first = found.iloc[0]
    return float(first["mean"]), float(first["ci_low"]), float(first["ci_high"])


def _row(axes: Axes, place: int, values: Array, colour: str, mean: tuple[float, float, float] | None) -> None:
    p05, p25, p50, p75, p95 = np.quantile(values, (0.05, 0.25, 0.5, 0.75, 0.95))
    axes.plot([p05, p95], [place, place], color=colour, linewidth=1.4, solid_capstyle="butt")
    axes.barh(place, p75 - p25, left=p25, height=0.46, color=colour, alpha=0.35, linewidth=0)
    axes.plot([p50, p50], [place - 0.23, place + 0.23], color=colour, linewidth=2.0, solid_capstyle="butt")
    if mean is not None:
        middle, low, high = mean
        axes.errorbar(
            middle, place, xerr=[[max(middle - low, 0.0)], [max(high - middle, 0.0)]], fmt="D", markersize=4.5,
            color=INK, markerfacecolor="white", markeredgewidth=1.0, elinewidth=1.2, capsize=2.5, zorder=5,
        )  # fmt: skip


def share_of_runs(values: Array) -> str:
    """Return the share of runs with any shortage, never rounded to none or all where it is neither."""
    share = float((values > 0).mean())
    if 0 < share < 0.005:
        return "<1 %"
    return ">99 %" if 0.995 <= share < 1 else f"{100 * share:.0f} %"


def _key(figure: Figure) -> None:
    handles = [
        Line2D([], [], color=SOFT, linewidth=1.4, label="nine in ten runs"),
        Patch(facecolor=SOFT, alpha=0.35, linewidth=0, label="half of all runs"),
        Line2D([], [], color=SOFT, marker="|", markersize=9, markeredgewidth=2, linestyle="none", label="middle run"),
        Line2D([], [], color=INK, marker="D", markersize=4.5, markerfacecolor="white", label=MEAN),
    ]
    width, height = figure.get_size_inches()
    figure.legend(handles=handles, loc="lower left", ncols=4, bbox_to_anchor=(0.45 / width, 0.08 / height))
