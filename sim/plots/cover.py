"""Days of cover: how long stock on hand would last, by country and scenario."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from sim.plots.events import marks
from sim.plots.price import Bands
from sim.plots.saved import Saved
from sim.plots.style import INK, SOFT, Sheet, day_numbers, fan, room_for_titles, scenario_title, year_axis

LETTERS = 22
"""Length of a line of a title above a panel of this figure."""


def draw_cover(saved: Saved, material: str) -> Figure:
    """Return stock on hand in days of full requirement, a row per country and a column per scenario."""
    events = marks(saved, material)
    bands = saved.bands("days_of_cover", material)
    countries = saved.buyers(material)
    title = f"How long would buyers' stock of {saved.of_material(material)} last?"
    subtitle = "Days of full requirement that stock on hand would cover, by country (rows) and scenario (columns)."
    head = room_for_titles(saved.titles, LETTERS)
    sheet = Sheet(panel=(1.85, 1.35), gap=(0.2, 0.22), left=1.5, right=0.25, head=head, foot=0.8)
    figure, grid = sheet.grid(len(countries), len(saved.scenarios), title, subtitle, events.notes)
    for row, country in zip(grid, countries, strict=True):
        _row(row, saved, country, bands)
        for axes, scenario in zip(row, saved.scenarios, strict=True):
            events.draw(axes, scenario, letters=row is grid[0])
            axes.tick_params(axis="x", which="both", labelbottom=row is grid[-1])
    for axes, scenario in zip(grid[0], saved.scenarios, strict=True):
        counterfactual, colour = saved.counterfactual(scenario), saved.colour(scenario)
        scenario_title(axes, saved.title(scenario), counterfactual, colour, LETTERS)
    _key(figure, saved, sheet, grid[-1][0])
    return figure


def _row(row: list[Axes], saved: Saved, country: str, bands: Bands) -> None:
    """Draw one country, every scenario on the same scale."""
    shown = [bands[name, country] for name in saved.scenarios if (name, country) in bands]
    top = max((float(frame["p95"].max()) for frame in shown), default=1.0)
    for axes, scenario in zip(row, saved.scenarios, strict=True):
        _panel(axes, saved, scenario, country, bands)
        axes.set_ylim(0, top * 1.15)
        axes.tick_params(axis="y", labelleft=axes is row[0])
    row[0].set_ylabel("days")
    row[0].text(
        -0.34, 0.5, saved.country(country).replace(" ", "\n"), transform=row[0].transAxes, ha="right", va="center",
        fontsize=9.5, fontweight="bold", color=INK,
    )  # fmt: skip


def _panel(axes: Axes, saved: Saved, scenario: str, country: str, bands: Bands) -> None:
    first = saved.scenarios[0]
    if (scenario, country) in bands:
        fan(axes, bands[scenario, country], saved.colour(scenario))
    if scenario != first and (first, country) in bands:
        base = bands[first, country]
        axes.plot(day_numbers(base["date"]), base["p50"], color=INK, linewidth=0.7)
    start, end = saved.series["date"].min(), saved.series["date"].max()
    year_axis(axes, start, end, every=1 if end.year - start.year < 3 else 2)


def _key(figure: Figure, saved: Saved, sheet: Sheet, corner: Axes) -> None:
    """Explain lines and bands beneath the panels."""
    handles = [
        Line2D([], [], color=SOFT, linewidth=1.5, label="middle run"),
        Patch(facecolor=SOFT, alpha=0.45, linewidth=0, label="half of all runs"),
        Patch(facecolor=SOFT, alpha=0.18, linewidth=0, label="nine in ten runs"),
    ]
    if len(saved.scenarios) > 1:
        first = f"middle run of: {saved.label(saved.scenarios[0])}"
        handles.insert(1, Line2D([], [], color=INK, linewidth=0.7, label=first))
    width, height = figure.get_size_inches()
    place = ((sheet.margin - 0.05) / width, corner.get_position().y0 - 0.27 / height)
    columns = 4 if width > 8 else 2
    figure.legend(handles=handles, loc="upper left", ncols=columns, bbox_to_anchor=place, borderpad=0.2)
