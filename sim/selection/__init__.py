"""Picks, before a run, the projects that close the most supply gap per dollar under a budget, and says why."""

from sim.selection.scenarios import check_selections, select
from sim.selection.told import FILE, Picked, frame, overview, paragraph, sentences, write_selection

__all__ = [
    "FILE",
    "Picked",
    "check_selections",
    "frame",
    "overview",
    "paragraph",
    "select",
    "sentences",
    "write_selection",
]
