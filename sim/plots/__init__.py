"""Figures of a run, drawn from its saved results; matplotlib is imported only here.

Each file draws one kind of figure, which answers one question: `price` (fan charts), `shortage` (how shortage days
are spread), `effect` (paired differences), `sweep` (a metric against a swept value), `cover` (days of cover),
`attribution` (causes of prices) and `timeline` (what happened when).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from sim.plots.attribution import draw_attribution
from sim.plots.cover import draw_cover
from sim.plots.effect import draw_effect
from sim.plots.price import draw_price
from sim.plots.saved import Saved
from sim.plots.shortage import draw_shortage
from sim.plots.style import RC, save
from sim.plots.sweep import draw_sweep, swept
from sim.plots.timeline import draw_timeline


def draw_all(directory: Path) -> list[Path]:
    """Draw every figure of a results directory into its ``figures`` folder, as PNG and SVG.

    Parameters
    ----------
    directory : Path
        As `sim.study` writes it.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    ResultsError
        If a table the figures need is missing or cannot be read.
    """
    saved = Saved(Path(directory))
    wanted = figures(saved)
    (saved.directory / "figures").mkdir(exist_ok=True)
    return [path for name in wanted for path in draw_one(saved, name)]


def figures(saved: Saved) -> dict[str, Callable[[], Figure]]:
    """Return the figures of a run by the name of their files, each to be drawn when called."""
    found: dict[str, Callable[[], Figure]] = {}
    for material in saved.materials:
        found[f"price_{material}"] = partial(draw_price, saved, material)
    found["shortage_days"] = partial(draw_shortage, saved)
    for reference in saved.references:
        found[f"policy_effect_against_{reference}"] = partial(draw_effect, saved, reference)
    for address in swept(saved):
        for material in saved.materials:
            found[f"sweep_{address.replace('.', '_')}_{material}"] = partial(draw_sweep, saved, address, material)
    for material in saved.materials:
        found[f"days_of_cover_{material}"] = partial(draw_cover, saved, material)
        # Prices in the countries in focus differ little in their causes: one of them tells the story.
        for country in [c for c in saved.focus if c in saved.buyers(material)][:1]:
            found[f"price_attribution_{material}_{country}"] = partial(draw_attribution, saved, material, country)
    if (saved.timeline["share"] > 0).any():
        found["policy_timeline"] = partial(draw_timeline, saved)
    return found


def draw_one(saved: Saved, name: str) -> list[Path]:
    """Draw one of `figures` by its name; return the files written."""
    with rc_context(RC):
        return save(figures(saved)[name](), saved.directory / "figures", name)
