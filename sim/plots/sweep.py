"""Sweep: days of shortage and prices against the value that was swept, with 95 % intervals.

One figure per address and material; a panel per country and metric, a line per scenario that was swept, and the
references as levels. Addresses are swept one at a time, never crossed, so each has figures of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sim.naming import in_words as address_in_words
from sim.plots.saved import Saved
from sim.plots.style import INK, MARKERS, SOFT, Sheet, panel_title, wrap
from sim.sweeps import Point, Sweep, sweeps

METRICS = (("shortage_days", "Days of shortage"), ("price_mean", "Mean price against normal"))

LOG_FROM = 30.0
"""Ratio of the largest to the smallest value from which the axis is logarithmic."""

Level = tuple[float, float, float]


def swept(saved: Saved) -> list[str]:
    """Return the addresses swept in a run."""
    return list(dict.fromkeys(sweep.address for sweep in sweeps(saved.resolved)))


def draw_sweep(saved: Saved, address: str, material: str) -> Figure:
    """Return the effect of one swept value on one material."""
    found = [sweep for sweep in sweeps(saved.resolved) if sweep.address == address]
    buyers = [country for country in saved.focus if country in saved.buyers(material)]
    said = address_in_words(address, saved.resolved["scenarios"][found[0].base])
    title = f"What does the {said} change for {saved.of_material(material)}?"
    subtitle = (
        "Each point is the mean over runs with this value, all with the same random histories; whiskers are 95\u00a0% "
        "intervals. Dashed: scenarios to compare with, for all values."
    )
    if any(sweep.before is not None and sweep.before.number is not None for sweep in found):
        subtitle += " A ring marks the value a scenario has of itself."
    columns = max(len(buyers), 1)
    lines = len(found) + len(_levels(saved, found))
    sheet = Sheet(panel=(3.1, 2.1), gap=(0.4, 0.55), left=0.85, right=0.35, head=0.55, foot=0.8 + 0.19 * lines)
    figure, grid = sheet.grid(len(METRICS), columns, title, subtitle)
    table = _table(saved, material)
    for row, (metric, name) in zip(grid, METRICS, strict=True):
        for axes, country in zip(row, buyers, strict=True):
            _panel(axes, saved, found, {s: v for (m, c, s), v in table.items() if (m, c) == (metric, country)})
            if metric == METRICS[0][0]:
                panel_title(axes, saved.country(country), SOFT)
            if row is grid[-1]:
                axes.set_xlabel(_unit(said, found))
        row[0].set_ylabel(name if metric == "shortage_days" else f"{name} (×)")
        _same_height(row, metric)
    _key(figure, saved, found, sheet)
    return figure


def _table(saved: Saved, material: str) -> dict[tuple[str, str, str], Level]:
    """Return (metric, country, scenario) -> mean and interval."""
    s = saved.summary
    s = s[(s["material"] == material) & (s["sector"] == "all") & s["metric"].isin([name for name, _ in METRICS])]
    keys = zip(s["metric"], s["country"], s["scenario"], strict=True)
    return dict(zip(keys, s[["mean", "ci_low", "ci_high"]].itertuples(index=False, name=None), strict=True))


def _panel(axes: Axes, saved: Saved, found: Sequence[Sweep], levels: dict[str, Level]) -> None:
    for name in _levels(saved, found):
        if name in levels:
            mean, low, high = levels[name]
            axes.axhline(mean, color=saved.colour(name), linewidth=1.2, linestyle=(0, (5, 2)), zorder=1.5)
            if math.isfinite(low):
                axes.axhspan(low, high, color=saved.colour(name), alpha=0.08, linewidth=0, zorder=1)
    for turn, sweep in enumerate(found):
        points = [point for point in sweep.points if point.scenario in levels]
        xs = [_x(sweep, point) for point in points]
        means, lows, highs = np.array([levels[point.scenario] for point in points], dtype=float).reshape(-1, 3).T
        colour = saved.colour(sweep.base)
        axes.errorbar(
            xs, means, yerr=[np.nan_to_num(means - lows), np.nan_to_num(highs - means)], color=colour,
            linewidth=1.6 if sweep.on_scale else 0.0, marker=MARKERS[turn % len(MARKERS)], markersize=5,
            elinewidth=1.0, capsize=2, zorder=3 + turn / 100,
        )  # fmt: skip
        if sweep.before is not None and sweep.before.number is not None and sweep.base in levels:
            axes.plot(
                [sweep.before.number], [levels[sweep.base][0]], "o", markersize=9, color="none", markeredgecolor=colour,
                markeredgewidth=1.3, zorder=4,
            )  # fmt: skip
    _value_axis(axes, found[0])


def _levels(saved: Saved, found: Sequence[Sweep]) -> list[str]:
    """Return the references that are drawn as levels: those that are not swept themselves."""
    return [name for name in saved.references if name not in {sweep.base for sweep in found}]


def _x(sweep: Sweep, point: Point) -> float:
    return float(point.number if point.number is not None else sweep.points.index(point))


def _value_axis(axes: Axes, sweep: Sweep) -> None:
    """Put a tick at each value."""
    xs = [_x(sweep, point) for point in sweep.points]
    logs = sweep.on_scale and min(xs) > 0 and max(xs) / min(xs) >= LOG_FROM
    if logs:
        axes.set_xscale("log")
    span = [math.log10(x) for x in xs] if logs else xs
    least, kept = 0.12 * (max(span) - min(span)), list[int]()
    for place, x in enumerate(span):  # ticks that would touch are left out
        if not kept or x - span[kept[-1]] >= least:
            kept.append(place)
    names = [sweep.points[place].value.removesuffix(sweep.unit).strip() for place in kept]
    if not sweep.on_scale:
        names = ["\n".join(wrap(name.replace("_", " "), 14)) for name in names]
    axes.set_xticks([xs[place] for place in kept], names)
    axes.set_xticks([], minor=True)
    axes.margins(x=0.06 if sweep.on_scale and sweep.unit != "date" else 0.14)
    axes.grid(visible=False, axis="x")


def _unit(said: str, found: Sequence[Sweep]) -> str:
    unit = found[0].unit
    words = {"d": "days", "": "", "date": ""}.get(unit, unit)
    text = "\n".join(wrap(said[:1].upper() + said[1:], 36))
    return f"{text} ({words})" if words else text


def _same_height(row: Sequence[Axes], metric: str) -> None:
    """Give the panels of a row one scale, from zero for days, with normal in it for prices."""
    low = min(axes.get_ylim()[0] for axes in row)
    high = max(axes.get_ylim()[1] for axes in row)
    low, high = (0.0, max(high, 1.0)) if metric == "shortage_days" else (min(low, 0.97), max(high, 1.05))
    for axes in row:
        axes.set_ylim(low - (0.02 * (high - low) if metric == "shortage_days" else 0), high)
        if metric != "shortage_days":
            axes.axhline(1.0, color=INK, linewidth=0.7, zorder=0.9)
        axes.tick_params(axis="y", labelleft=axes is row[0])


def _key(figure: Figure, saved: Saved, found: Sequence[Sweep], sheet: Sheet) -> None:
    handles = [
        Line2D([], [], color=saved.colour(sweep.base), marker=MARKERS[turn % len(MARKERS)], markersize=5,
               linewidth=1.6, label=saved.label(sweep.base) + _own(sweep))
        for turn, sweep in enumerate(found)
    ]  # fmt: skip
    handles += [
        Line2D([], [], color=saved.colour(name), linewidth=1.2, linestyle=(0, (5, 2)), label=saved.label(name))
        for name in _levels(saved, found)
    ]
    width, height = figure.get_size_inches()
    figure.legend(handles=handles, loc="lower left", bbox_to_anchor=((sheet.margin - 0.05) / width, 0.08 / height))


def _own(sweep: Sweep) -> str:
    return f" (its own value: {sweep.before.value.replace('_', ' ')})" if sweep.before is not None else ""
