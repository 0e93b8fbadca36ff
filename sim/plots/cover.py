"""Days of cover: how long stock on hand would last, by country and scenario."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from sim.plots.events import marks
from sim.plots.price import Bands
from sim.plots.saved import Saved
from sim.plots.style import INK, SOFT, Sheet, day_numbers, fan, scenario_title, year_axis


def draw_cover(saved: Saved, material: str) -> Figure:
    """Return stock on hand in days of full requirement, a row per country and a column per scenario."""
    events = marks(saved, material)
    bands = saved.bands("days_of_cover", material)
    countries = saved.buyers(material)
    first = saved.scenarios[0]
    title = f"How long would buyers' stock of {saved.of_material(material)} last?"
    subtitle = (
        "Days of full requirement that stock on hand would cover, by country (rows) and scenario (columns). "
        f"The thin black line in each panel is the middle run of: {saved.label(first)}."
    )
    sheet = Sheet(panel=(1.85, 1.35), gap=(0.2, 0.22), left=1.5, right=0.25, head=1.0, foot=0.5)
    figure, grid = sheet.grid(len(countries), len(saved.scenarios), title, subtitle, events.notes)
    for row, country in zip(grid, countries, strict=True):
        shown = [bands[name, country] for name in saved.scenarios if (name, country) in bands]
        top = max((float(frame["p95"].max()) for frame in shown), default=1.0)
        for axes, scenario in zip(row, saved.scenarios, strict=True):
            _panel(axes, saved, scenario, country, bands)
            axes.set_ylim(0, top * 1.12)
            events.draw(axes, scenario, letters=row is grid[0])
            if axes is not row[0]:
                axes.tick_params(axis="y", labelleft=False)
            if row is not grid[-1]:
                axes.tick_params(axis="x", which="both", labelbottom=False)
        row[0].set_ylabel("days")
        row[0].text(
            -0.34, 0.5, saved.country(country).replace(" ", "\n"), transform=row[0].transAxes, ha="right", va="center",
            fontsize=9.5, fontweight="bold", color=INK,
        )  # fmt: skip
    for axes, scenario in zip(grid[0], saved.scenarios, strict=True):
        scenario_title(axes, saved.title(scenario), saved.counterfactual(scenario), saved.colour(scenario), letters=22)
    _key(figure, sheet)
    return figure


def _panel(axes: Axes, saved: Saved, scenario: str, country: str, bands: Bands) -> None:
    first = saved.scenarios[0]
    if (scenario, country) in bands:
        frame = bands[scenario, country]
        fan(axes, frame, saved.colour(scenario))
    if scenario != first and (first, country) in bands:
        base = bands[first, country]
        axes.plot(day_numbers(base["date"]), base["p50"], color=INK, linewidth=0.7)
    year_axis(axes, saved.series["date"].min(), saved.series["date"].max(), every=2)


def _key(figure: Figure, sheet: Sheet) -> None:
    handles = [
        Line2D([], [], color=SOFT, linewidth=1.5, label="middle run"),
        Patch(facecolor=SOFT, alpha=0.45, linewidth=0, label="half of all runs"),
        Patch(facecolor=SOFT, alpha=0.18, linewidth=0, label="nine in ten runs"),
    ]
    width, height = figure.get_size_inches()
    corner = (1 - sheet.right / width, 1 - 0.18 / height)
    figure.legend(handles=handles, loc="upper right", ncols=3, bbox_to_anchor=corner)
