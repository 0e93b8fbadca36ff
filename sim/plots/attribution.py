"""Price attribution: the causes of a country's price over time, stacked so that they add up to it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from sim.market.prices import CAUSES
from sim.plots.events import marks
from sim.plots.saved import Saved, in_words
from sim.plots.style import (
    CAUSE_COLOURS,
    INK,
    OTHER_COLOUR,
    POLICY_COLOURS,
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

SMALL = 0.03
"""Causes that never move the price by this much (3 %) are drawn together as the rest."""

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
    sheet = Sheet(head=room_for_titles(saved.titles))
    figure, panels, key = sheet.tiles(len(saved.scenarios), 4, title, subtitle, events.notes)
    colours = cause_colours(saved)
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
    shown = next(iter(tables.values())).columns.tolist() if tables else []
    _key(key, saved, shown, colours)
    return figure


def cause_tables(saved: Saved, material: str, country: str) -> dict[str, pd.DataFrame]:
    """Return scenario -> (date, cause) parts of the log price, in one order of causes, the small ones together."""
    frame = saved.causes
    frame = frame[(frame["material"] == material) & (frame["country"] == country)]
    largest = frame["mean"].abs().groupby(frame["cause"]).max()
    kept = [cause for cause in cause_colours(saved) if largest.get(cause, 0.0) >= SMALL]
    frame = frame.assign(cause=frame["cause"].where(frame["cause"].isin(kept), OTHER))
    tables = {}
    for scenario, part in frame.groupby("scenario"):
        table = part.pivot_table(index="date", columns="cause", values="mean", aggfunc="sum", fill_value=0.0)
        tables[str(scenario)] = table.reindex(columns=[*kept, OTHER], fill_value=0.0)
    return tables


def cause_colours(saved: Saved) -> dict[str, str]:
    """Return cause -> colour, policies first, the same in every figure of a run.

    Policies beyond the number of colours, the smallest, have none and are drawn with the rest.
    """
    frame = saved.causes
    frame = frame[frame["material"].isin(saved.materials) & frame["country"].isin(saved.focus)]
    largest = frame["mean"].abs().groupby(frame["cause"]).max()
    acting = largest[(largest >= SMALL) & ~largest.index.isin(CAUSES)].nlargest(len(POLICY_COLOURS))
    policies = [str(name) for name in frame["cause"].unique() if name in acting.index]
    plain = dict(zip(CAUSES, CAUSE_COLOURS, strict=False))
    return {**dict(zip(policies, POLICY_COLOURS, strict=False)), **plain, OTHER: OTHER_COLOUR}


def _stack(axes: Axes, table: pd.DataFrame, colours: dict[str, str]) -> None:
    """Stack what raises the price upwards from 1x and what lowers it downwards."""
    days = day_numbers(table.index)
    for signed in (table.clip(lower=0), table.clip(upper=0)):
        base: Array = np.zeros(len(table))
        for cause in table.columns:
            top = base + signed[cause].to_numpy(float)
            axes.fill_between(days, base, top, facecolor=colours[cause], edgecolor="white", linewidth=0.25)
            base = top
    axes.axhline(0, color=SOFT, linewidth=0.8)
    halo = [withStroke(linewidth=2.6, foreground="white", alpha=0.8)]
    axes.plot(days, table.sum(axis=1), color=INK, linewidth=1.3, path_effects=halo)


def _key(axes: Axes, saved: Saved, shown: Sequence[str], colours: dict[str, str]) -> None:
    handles: list[Line2D | Patch] = [Line2D([], [], color=INK, linewidth=1.4, label="price")]
    # The stack grows from the first cause, so that the key reads like it from the last.
    for cause in reversed(shown):
        words = in_words(cause) if cause in (*CAUSES, OTHER) else saved.policy(cause)
        handles.append(Patch(facecolor=colours[cause], label="\n".join(wrap(words, 46))))
    legend = axes.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(0.0, 1.1), title="Causes", alignment="left", fontsize=7.5,
        labelspacing=0.35,
    )  # fmt: skip
    legend.get_title().set_fontweight("bold")
