"""Price attribution: the causes of a country's price over time, stacked so that they add up to it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from sim.plots.events import marks
from sim.plots.saved import Saved
from sim.plots.style import (
    CAUSE_COLOURS,
    INK,
    OTHER_COLOUR,
    SOFT,
    Array,
    Sheet,
    day_numbers,
    multiples_axis,
    room_for_titles,
    scenario_title,
    wrap,
    year_axis,
)

SMALL = 0.02
"""Causes that never reach this part of the log price (2 %) are drawn together as the rest."""

OTHER = "all other causes"


def draw_attribution(saved: Saved, material: str, country: str) -> Figure:
    """Return what makes up the price of a material in one country, a panel per scenario."""
    events = marks(saved, material)
    tables = cause_tables(saved, material, country)
    where = saved.country(country)
    title = f"{where}: what drives the price of {saved.of_material(material)}?"
    subtitle = (
        "Price against normal on a log scale, where causes multiply and the heights of their bands add up: what "
        "stands above 1×, less what hangs below it, is the price (black line). Averages over runs, ordinary market "
        "swings left out."
    )
    figure, panels, key = Sheet(head=room_for_titles(saved.titles)).tiles(
        len(saved.scenarios), 4, title, subtitle, events.notes
    )
    colours = cause_colours(tables)
    low = min((float(t.clip(upper=0).sum(axis=1).min()) for t in tables.values()), default=0.0)
    high = max((float(t.clip(lower=0).sum(axis=1).max()) for t in tables.values()), default=0.0)
    low, high = min(low * 1.1, -0.12), max(high, 0.3)
    for place, (axes, scenario) in enumerate(zip(panels, saved.scenarios, strict=True)):
        if scenario in tables:
            _stack(axes, tables[scenario], colours)
        multiples_axis(axes, float(np.exp(low)), float(np.exp(high + 0.14 * (high - low))), log_units=True)
        year_axis(axes, saved.series["date"].min(), saved.series["date"].max())
        scenario_title(axes, saved.title(scenario), saved.counterfactual(scenario), saved.colour(scenario))
        if place % 4:
            axes.tick_params(axis="y", labelleft=False)
        events.draw(axes, scenario)
    _key(key, colours)
    return figure


def cause_tables(saved: Saved, material: str, country: str) -> dict[str, pd.DataFrame]:
    """Return scenario -> (date, cause) parts of the log price, small causes together, in one order of causes."""
    frame = saved.causes
    frame = frame[(frame["material"] == material) & (frame["country"] == country)]
    if frame.empty:
        return {}
    frame = frame.assign(cause=[saved.policy(str(name)) for name in frame["cause"]])
    largest = frame["mean"].abs().groupby(frame["cause"]).max().sort_values(ascending=False)
    kept = [str(c) for c in largest.index[largest >= SMALL]][: len(CAUSE_COLOURS)]
    frame = frame.assign(cause=frame["cause"].where(frame["cause"].isin(kept), OTHER))
    order = [*kept, OTHER]
    tables = {}
    for scenario, part in frame.groupby("scenario"):
        table = part.pivot_table(index="date", columns="cause", values="mean", aggfunc="sum", fill_value=0.0)
        tables[str(scenario)] = table.reindex(columns=order, fill_value=0.0)
    return tables


def cause_colours(tables: dict[str, pd.DataFrame]) -> dict[str, str]:
    """Return cause -> colour, the same in every panel."""
    causes = [c for c in next(iter(tables.values())).columns if c != OTHER] if tables else []
    return {**dict(zip(causes, CAUSE_COLOURS, strict=False)), OTHER: OTHER_COLOUR}


def _stack(axes: Axes, table: pd.DataFrame, colours: dict[str, str]) -> None:
    """Stack what raises the price upwards from 1x and what lowers it downwards."""
    days = day_numbers(table.index)
    for signed in (table.clip(lower=0), table.clip(upper=0)):
        base: Array = np.zeros(len(table))
        for cause in table.columns:
            top = base + signed[cause].to_numpy(float)
            axes.fill_between(days, base, top, color=colours[cause], linewidth=0)
            base = top
    axes.axhline(0, color=SOFT, linewidth=0.8)
    halo = [withStroke(linewidth=2.6, foreground="white", alpha=0.8)]
    axes.plot(days, table.sum(axis=1), color=INK, linewidth=1.3, path_effects=halo)


def _key(axes: Axes, colours: dict[str, str]) -> None:
    handles: list[Line2D | Patch] = [Line2D([], [], color=INK, linewidth=1.4, label="price")]
    for cause, colour in colours.items():
        handles.append(Patch(facecolor=colour, label="\n".join(wrap(cause[:1].upper() + cause[1:], 36))))
    legend = axes.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(0.0, 1.1), title="Causes", alignment="left", fontsize=8,
        labelspacing=0.4,
    )  # fmt: skip
    legend.get_title().set_fontweight("bold")
