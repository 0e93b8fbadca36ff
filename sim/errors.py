"""One hierarchy of errors: each says where, what was given, what is allowed and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


class DrawdownError(Exception):
    """Base of every error that Drawdown raises on purpose."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong with the input: where it stands, what was given and what would be right.

    Attributes
    ----------
    address : str
        Dotted address of the value, for example ``consumers.JPN.magnets.cover``.
    message : str
        What was given, what is allowed, and a hint.
    file : str or None
        File the value came from.
    line : int or None
        Line in that file, counted from 1.
    """

    address: str
    message: str
    file: str | None = None
    line: int | None = None

    def text(self) -> str:
        """Return the problem as one line without the name of its file."""
        place = f"line {self.line}, " if self.line is not None else ""
        address = f"{self.address}: " if self.address else ""
        return f"{place}{address}{self.message}"


class ConfigError(DrawdownError):
    """The input cannot be used; all problems found are listed together, by file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.report())

    def report(self) -> str:
        """Return all problems, grouped by file in order of appearance."""
        by_file: dict[str, list[Problem]] = {}
        for problem in self.problems:
            by_file.setdefault(problem.file or "configuration", []).append(problem)
        parts = []
        for file, found in by_file.items():
            count = f"{len(found)} problem" + ("s" if len(found) > 1 else "")
            found = sorted(found, key=lambda p: p.line or 0)
            parts.append(f"{file}, {count}:\n" + "\n".join(f"  {p.text()}" for p in found))
        return "\n".join(parts)


class EngineError(DrawdownError):
    """A promise inside the engine was broken; names day, row, replication and amount."""


class ResultsError(DrawdownError):
    """A results directory cannot be read or written."""


def did_you_mean(given: str, allowed: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` for the nearest allowed word, or an empty string."""
    words = {str(word).lower(): str(word) for word in allowed}
    near = difflib.get_close_matches(str(given).lower(), list(words), n=1, cutoff=0.6)
    return f" Did you mean '{words[near[0]]}'?" if near else ""
