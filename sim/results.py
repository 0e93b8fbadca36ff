"""A results directory: what is in it, how it is read, and how it comes to be there, whole or not at all.

Decides where results stand and what the manifest says. Leaves the tables to `tables`, the words to `answer`
and the figures to `plots`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

from sim.errors import ResultsError
from sim.tables import COLUMNS, read_table

MANIFEST, ANSWER = "manifest.json", "answer.md"

PACKAGES = (
    "drawdown", "simpy", "numpy", "scipy", "pandas", "matplotlib", "pydantic",
    "ruamel.yaml", "pint", "numba", "llvmlite", "pyarrow", "typer", "rich",
)  # fmt: skip
"""Packages whose versions the manifest states."""


@dataclass(frozen=True)
class Results:
    """The results of a run, read from its directory as they are asked for.

    Attributes
    ----------
    directory : Path
    """

    directory: Path

    @classmethod
    def load(cls, directory: Path | str) -> Results:
        """Return the results in a directory.

        Raises
        ------
        ResultsError
            If there are none, or a file is missing.
        """
        results = cls(Path(directory))
        missing = [name for name in (MANIFEST, *COLUMNS) if not (results.directory / name).is_file()]
        if missing:
            raise ResultsError(
                f"{directory}: not the results of a run; {', '.join(missing)} "
                f"{'is' if len(missing) == 1 else 'are'} missing. Run the experiment first."
            )
        return results

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """What the run was, and all that is needed to repeat it."""
        try:
            loaded: dict[str, Any] = json.loads((self.directory / MANIFEST).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ResultsError(f"{self.directory.name}/{MANIFEST}: cannot be read ({error}).") from None
        return loaded

    @cached_property
    def summary(self) -> pd.DataFrame:
        """Mean with interval, and quantiles, of every metric."""
        return read_table(self.directory, "summary.csv")

    @cached_property
    def comparison(self) -> pd.DataFrame:
        """Paired differences of every scenario from every reference."""
        return read_table(self.directory, "comparison.csv")

    @cached_property
    def headlines(self) -> pd.DataFrame:
        """Odds of any shortage and of a double price, and the median date of the first shortage."""
        return read_table(self.directory, "headlines.csv")

    @cached_property
    def costs(self) -> pd.DataFrame:
        """Public and private money of each policy, by who pays."""
        return read_table(self.directory, "costs.csv")

    @cached_property
    def replications(self) -> pd.DataFrame:
        """Every metric of every replication."""
        return read_table(self.directory, "replications.parquet")

    @cached_property
    def series(self) -> pd.DataFrame:
        """Weekly series: mean and quantiles over replications."""
        return read_table(self.directory, "series.parquet")

    @cached_property
    def causes(self) -> pd.DataFrame:
        """Weekly mean parts of each log price."""
        return read_table(self.directory, "causes.parquet")

    @cached_property
    def timeline(self) -> pd.DataFrame:
        """Dates of the policies' events."""
        return read_table(self.directory, "timeline.csv")

    @cached_property
    def sensitivity(self) -> pd.DataFrame:
        """Rank correlation of what was drawn with what came of it."""
        return read_table(self.directory, "sensitivity.csv")

    @cached_property
    def answer(self) -> str:
        """The experiment's question, answered in words."""
        try:
            return (self.directory / ANSWER).read_text(encoding="utf-8")
        except OSError as error:
            raise ResultsError(f"{self.directory.name}/{ANSWER}: cannot be read ({error}).") from None

    def save(self, directory: Path | str) -> Results:
        """Copy the results to another directory, whole or not at all, and return them there."""
        with replacing(Path(directory)) as new:
            shutil.copytree(self.directory, new, dirs_exist_ok=True)
        return Results(Path(directory))


# -- writing, whole or not at all -----------------------------------------------------------------------


def check_place(directory: Path) -> None:
    """Refuse a place for results where something else would be lost.

    Raises
    ------
    ResultsError
        If it is a file, or a directory that holds anything but results.
    """
    if directory.is_symlink() or (directory.exists() and not directory.is_dir()):
        raise ResultsError(f"{directory}: is not a directory. Choose another with --out.")
    if directory.is_dir() and any(directory.iterdir()) and not (directory / MANIFEST).is_file():
        raise ResultsError(
            f"{directory}: holds something other than results (no {MANIFEST}). Choose another with --out."
        )
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResultsError(f"{directory.parent}: cannot be made ({error.strerror}).") from None
    if not os.access(directory.parent, os.W_OK):
        raise ResultsError(f"{directory.parent}: cannot be written to. Choose another place with --out.")


@contextlib.contextmanager
def replacing(directory: Path) -> Iterator[Path]:
    """Give an empty directory beside a results directory, and put it in its place when all went well.

    The old results are moved aside and removed only when the new ones stand; after an error or an
    interrupt they are as they were.
    """
    check_place(directory)
    mark = uuid.uuid4().hex[:8]
    new = directory.with_name(f".{directory.name}.{mark}.new")
    old = directory.with_name(f".{directory.name}.{mark}.old")
    new.mkdir()
    try:
        yield new
        if directory.exists():
            directory.rename(old)
        try:
            new.rename(directory)
        except BaseException:
            if old.exists():
                old.rename(directory)
            raise
    except OSError as error:
        raise ResultsError(f"{directory}: cannot be written ({error.strerror or error}).") from error
    finally:
        shutil.rmtree(new, ignore_errors=True)
        if directory.exists():
            shutil.rmtree(old, ignore_errors=True)


def clear_up(directory: Path) -> None:
    """Remove what a run that was killed while it wrote has left beside a results directory; put back what it moved."""
    for path in directory.parent.glob(f".{directory.name}.*"):
        kind = re.fullmatch(rf"\.{re.escape(directory.name)}\.[0-9a-f]{{8}}\.(new|old)", path.name)
        if kind is not None and kind[1] == "old" and not directory.exists():
            path.rename(directory)
        elif kind is not None:
            shutil.rmtree(path, ignore_errors=True)


# -- the manifest ---------------------------------------------------------------------------------------


def write_manifest(directory: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest, one key a line so that two can be compared."""
    text = json.dumps(manifest, indent=1, ensure_ascii=False, allow_nan=False)
    (directory / MANIFEST).write_text(text + "\n", encoding="utf-8")


def config_hash(resolved: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a resolved configuration."""
    text = json.dumps(resolved, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that a run uses."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def git_revision(folder: Path) -> str | None:
    """Return the revision of the source, with ``-modified`` where files differ from it; None outside git."""

    def git(*words: str) -> str:
        done = subprocess.run(("git", *words), cwd=folder, capture_output=True, text=True, check=True, timeout=20)
        return done.stdout.strip()

    try:
        revision = git("rev-parse", "HEAD")
        return revision + ("-modified" if git("status", "--porcelain", "--", ".") else "")
    except (OSError, subprocess.SubprocessError):
        return None
