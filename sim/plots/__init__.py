"""Figures of a run, drawn from its saved results; matplotlib is imported only here.

Each file draws one kind of figure, which answers one question: `price` (fan charts), `shortage` (how shortage days
are spread), `effect` (paired differences), `cover` (days of cover) and `attribution` (causes of prices).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from sim.plots.attribution import draw_attribution
from sim.plots.cover import draw_cover
from sim.plots.effect import draw_effect
from sim.plots.events import marks
from sim.plots.price import draw_price
from sim.plots.saved import Saved
from sim.plots.shortage import draw_shortage
from sim.plots.style import RC, save


def draw_all(directory: Path) -> list[Path]:
    """Draw every figure of a results directory into its ``figures`` folder, as PNG and SVG.

    Parameters
    ----------
    directory : Path
        As `sim.results` writes it.

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
    folder = saved.directory / "figures"
    folder.mkdir(exist_ok=True)
    with rc_context(RC):
        return [path for name, figure in _figures(saved) for path in save(figure, folder, name)]


def _figures(saved: Saved) -> Iterator[tuple[str, Figure]]:
    """Yield name and figure, one at a time so that only one is held."""
    events = marks(saved)
    for material in saved.materials:
        yield f"price_{material}", draw_price(saved, material, events)
    yield "shortage_days", draw_shortage(saved)
    for reference in saved.references:
        yield f"policy_effect_against_{reference}", draw_effect(saved, reference)
    for material in saved.materials:
        yield f"days_of_cover_{material}", draw_cover(saved, material, events)
        for country in [c for c in saved.focus if c in saved.buyers(material)][:1]:
            yield f"price_attribution_{material}_{country}", draw_attribution(saved, material, country, events)
