"""Price fan chart: how prices abroad part from prices in the controlling country, one panel per scenario."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from sim.plots.events import marks
from sim.plots.saved import Saved
from sim.plots.style import (
    FAINT,
    INK,
    LINES,
    SOFT,
    Sheet,
    day_numbers,
    fan,
    multiples_axis,
    room_for_titles,
    scenario_title,
    wrap,
    year_axis,
)

CONTRAST = "#7d7d7d"

Bands = dict[tuple[str, str], pd.DataFrame]


def draw_price(saved: Saved, material: str) -> Figure:
    """Return the price of a material against normal, with the fan of the first country and lines of the others."""
    events = marks(saved, material)
    bands = saved.bands("price_pressure", material)
    countries = saved.buyers(material)
    inside = saved.contrast if saved.contrast in countries else None
    abroad = [country for country in countries if country != inside]
    what = saved.of_material(material)
    title = f"How far does the price of {what} rise above normal?"
    if inside is not None:
        title = f"How far does the price of {what} abroad part from the price in {saved.country(inside)}?"
    subtitle = (
        "Price against normal (1× is the price before any disturbance, log scale), one panel per scenario. "
        "Letters mark events of measures on this material, listed below."
    )
    sheet = Sheet(head=room_for_titles(saved.titles))
    figure, panels, key = sheet.tiles(len(saved.scenarios), 4, title, subtitle, events.notes)
    low, high = _ends(bands, saved.scenarios, abroad, inside)
    for place, (axes, scenario) in enumerate(zip(panels, saved.scenarios, strict=True)):
        _panel(axes, saved, scenario, bands, abroad, inside)
        multiples_axis(axes, low * 0.95, high * 1.35)
        if place % 4:
            axes.tick_params(axis="y", labelleft=False)
        events.draw(axes, scenario)
    _key(key, saved, abroad, inside)
    return figure


def _ends(bands: Bands, scenarios: Sequence[str], abroad: list[str], inside: str | None) -> tuple[float, float]:
    """Return the ends of what is drawn: the bands of two countries, the lines of the others."""
    banded = [bands[s, c] for s in scenarios for c in (abroad[0], inside) if c is not None and (s, c) in bands]
    lined = [bands[s, c] for s in scenarios for c in abroad[1:] if (s, c) in bands]
    low = [float(f["p05"].min()) for f in banded] + [float(f["p50"].min()) for f in lined]
    high = [float(f["p95"].max()) for f in banded] + [float(f["p50"].max()) for f in lined]
    return min(0.5, *low), max(2.0, *high)


def _panel(axes: Axes, saved: Saved, scenario: str, bands: Bands, abroad: list[str], inside: str | None) -> None:
    colour = saved.colour(scenario)
    axes.axhline(1, color=FAINT, linewidth=1.0, zorder=0.9)
    if inside is not None and (scenario, inside) in bands:
        frame = bands[scenario, inside]
        fan(axes, frame, CONTRAST)
    for place, country in enumerate(abroad):
        if (scenario, country) not in bands:
            continue
        frame = bands[scenario, country]
        if place == 0:
            fan(axes, frame, colour)
        else:
            style = LINES[place % len(LINES)]
            axes.plot(day_numbers(frame["date"]), frame["p50"], color=colour, linewidth=1.2, linestyle=style)
    year_axis(axes, saved.series["date"].min(), saved.series["date"].max())
    scenario_title(axes, saved.title(scenario), saved.counterfactual(scenario), colour)


def _key(axes: Axes, saved: Saved, abroad: list[str], inside: str | None) -> None:
    """Explain lines and bands in the empty cell."""
    handles: list[Line2D | Patch] = []
    for place, country in enumerate(abroad):
        style = LINES[place % len(LINES)]
        label = f"{saved.country(country)}, middle run"
        handles.append(Line2D([], [], color=INK, linewidth=1.5, linestyle=style, label=label))
    if inside is not None:
        handles.append(Line2D([], [], color=CONTRAST, linewidth=1.5, label=f"{saved.country(inside)}, middle run"))
    fans = " and ".join(saved.country(c) for c in (abroad[:1] + ([inside] if inside else [])))
    handles += [
        Patch(facecolor=INK, alpha=0.38, linewidth=0, label="half of all runs"),
        Patch(facecolor=INK, alpha=0.15, linewidth=0, label="nine in ten runs"),
    ]
    legend = axes.legend(handles=handles, loc="upper left", title="How to read", alignment="left", borderpad=0)
    legend.get_title().set_fontweight("bold")
    words = "\n".join(wrap(f"Bands are drawn for {fans}.\nLines take the colour of the scenario.", 48))
    axes.text(0, 0.28, words, transform=axes.transAxes, fontsize=8, color=SOFT, va="top")
