"""The folder in which the finished blocks of a run wait until its results stand: what is found there, what is left.

Decides what is used again and what is removed. A part's name says all that decides what is in it, and a part has
its name only when it is whole (`parts.write_whole`): whatever bears the right name is good, whoever made it.
"""

from __future__ import annotations

import fcntl
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sim.errors import ResultsError
from sim.parts import PartFile, part_prefix

LOCK = "lock"


@dataclass(frozen=True)
class Unfinished:
    """The parts folder of one results directory.

    Attributes
    ----------
    directory : Path
    """

    directory: Path

    @classmethod
    def beside(cls, out: Path) -> Unfinished:
        """Return the folder that belongs to a results directory."""
        return cls(out.with_name(f".{out.name}.parts"))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder against other runs, and clear it of what a killed run has left half-written.

        Raises
        ------
        ResultsError
            If another run holds it.
        """
        self.directory.mkdir(exist_ok=True)
        with (self.directory / LOCK).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ResultsError(
                    f"{self.directory.name}: another run is writing there. Wait for it, or choose another --out."
                ) from None
            except OSError:
                pass  # a file system without locks
            for half in self.directory.glob("*.tmp"):
                half.unlink(missing_ok=True)
            try:
                yield
            finally:
                self._leave()

    def _leave(self) -> None:
        if {path.name for path in self.directory.glob("*")} <= {LOCK}:
            with suppress(OSError):
                (self.directory / LOCK).unlink(missing_ok=True)
                self.directory.rmdir()

    def remove(self, used: Iterable[Path]) -> str:
        """Remove parts that are in the results, and those of other versions of the code.

        Returns
        -------
        str
            What is still there, of other runs; empty if nothing is.
        """
        for path in used:
            path.unlink(missing_ok=True)
        ours = re.compile(rf"{part_prefix()}[0-9a-f]+\.part")
        size, count = 0, 0
        for path in self.directory.glob("*.part"):
            if ours.fullmatch(path.name):
                size, count = size + path.stat().st_size, count + 1
            else:
                path.unlink(missing_ok=True)
        if not count:
            return ""
        return (
            f"{self.directory} still holds {count:,} finished block{'s' if count > 1 else ''} "
            f"({max(size / 1e6, 0.1):,.1f} MB) of other runs that were not completed; remove it if they are not needed."
        )


def is_whole(path: Path) -> bool:
    """Whether a part is there and can be read; a damaged one is made again."""
    if not path.exists():
        return False
    try:
        with PartFile(path):
            return True
    except ResultsError:
        return False
