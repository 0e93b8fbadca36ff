"""Policy effect: paired differences between scenarios and a reference, with intervals."""

from __future__ import annotations

from itertools import cycle
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from sim.plots.saved import Saved
from sim.plots.shortage import name_rows
from sim.plots.style import INK, MARKERS, SOFT, Array, Sheet, panel_title, row_title


class Effect(NamedTuple):
    """A metric whose difference is drawn: its name for readers, unit, factor, and words for less and more."""

    metric: str
    title: str
    unit: str
    scale: float
    less: str
    more: str


EFFECTS = (
    Effect("shortage_days", "Days of shortage", "days", 1.0, "fewer", "more"),
    Effect("price_mean", "Mean price against normal", "× normal", 1.0, "cheaper", "dearer"),
    Effect("procurement_cost_usd", "Extra cost of purchases", "million USD", 1e-6, "cheaper", "dearer"),
)


def draw_effect(saved: Saved, reference: str) -> Figure:
    """Return differences from one reference: a column per metric, and rows of panels per material.

    Scenarios that add measures to the reference stand apart from the others, which differ from it in more than that
    and would press the measures' effects onto the zero line.
    """
    title = f"What does each scenario change, against “{saved.title(reference)}”?"
    subtitle = (
        f"Difference from: {saved.label(reference)}. The same random histories in both, compared run by run; dots "
        "are means, whiskers 95\u00a0% intervals. A whisker that crosses the zero line: no difference that this number "
        "of runs can tell. Scales differ between panels."
    )
    kinds = _kinds(saved, reference)
    rows = [(material, kind, names) for material in saved.materials for kind, names in kinds.items()]
    sheet = Sheet(panel=(3.0, 1.0), gap=(0.45, 1.1), left=2.5, right=0.4, head=0.75, foot=0.85)
    heights = [len(names) * (0.13 * len(saved.focus) + 0.16) for _, _, names in rows]
    figure, grid = sheet.grid(heights, len(EFFECTS), title, subtitle)
    for panels, (material, kind, names) in zip(grid, rows, strict=True):
        for axes, effect in zip(panels, EFFECTS, strict=True):
            _panel(axes, saved, _differences(saved, reference, material, effect), names, effect)
            axes.tick_params(axis="y", labelleft=axes is panels[0], length=0)
        name_rows(panels[0], saved, names)
        row_title(panels[0], saved.material(material) + (f": {kind}" if len(kinds) > 1 else ""), sheet, 26)
    _key(figure, saved)
    return figure


def _kinds(saved: Saved, reference: str) -> dict[str, list[str]]:
    """Return the scenarios that add to a reference, and the others, by what they are called."""
    others = [name for name in saved.scenarios if name != reference]
    kinds = {
        f"measures added to “{saved.title(reference)}”": [n for n in others if saved.builds_on(n, reference)],
        "other scenarios": [n for n in others if not saved.builds_on(n, reference)],
    }
    return {kind: names for kind, names in kinds.items() if names}


def _differences(saved: Saved, reference: str, material: str, effect: Effect) -> dict[tuple[str, str], Array]:
    """Return (scenario, country) -> difference and the ends of its interval, in the unit of the effect."""
    c = saved.comparison
    found = c[
        (c["reference"] == reference) & (c["material"] == material) & (c["sector"] == "all")
        & (c["metric"] == effect.metric)
    ]  # fmt: skip
    numbers = found[["difference", "ci_low", "ci_high"]].to_numpy(float) * effect.scale
    return dict(zip(zip(found["scenario"], found["country"], strict=True), numbers, strict=True))


def _panel(axes: Axes, saved: Saved, table: dict[tuple[str, str], Array], others: list[str], effect: Effect) -> None:
    axes.axvline(0, color=INK, linewidth=0.9, zorder=1)
    step = 0.72 / max(len(saved.focus), 1)
    for place, scenario in enumerate(others):
        for turn, country in enumerate(saved.focus):
            if (scenario, country) not in table:
                continue
            middle, low, high = table[scenario, country]
            if not np.isfinite(middle):
                continue
            axes.errorbar(
                middle, place + (turn - (len(saved.focus) - 1) / 2) * step,
                xerr=[[max(middle - low, 0.0)], [max(high - middle, 0.0)]], fmt=MARKERS[turn % len(MARKERS)],
                markersize=4.5, color=saved.colour(scenario), elinewidth=1.2, capsize=2, zorder=3,
            )  # fmt: skip
        if place:
            axes.axhline(place - 0.5, color="#e3e3e3", linewidth=0.6)
    axes.set_ylim(len(others) - 0.5, -0.5)
    axes.set_yticks(range(len(others)))
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.margins(x=0.08)
    _words(axes, effect)


def _words(axes: Axes, effect: Effect) -> None:
    """Name the panel and say which side of zero is which."""
    low, high = axes.get_xlim()
    span = high - low
    axes.set_xlim(min(low, -0.08 * span), max(high, 0.08 * span))
    panel_title(axes, effect.title, SOFT)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}".replace("-", "−")))
    axes.set_xlabel(f"← {effect.less}     {effect.unit}     {effect.more} →")


def _key(figure: Figure, saved: Saved) -> None:
    handles = [
        Line2D([], [], color=SOFT, marker=marker, markersize=5, linewidth=1.2, label=saved.country(country))
        for marker, country in zip(cycle(MARKERS), saved.focus, strict=False)
    ]
    width, height = figure.get_size_inches()
    figure.legend(handles=handles, loc="lower left", ncols=len(handles), bbox_to_anchor=(0.45 / width, 0.08 / height))
