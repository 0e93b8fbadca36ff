"""The part file of one block of one scenario: what is kept of it on disk until the run is merged.

Decides which arrays leave a block and in which form. A part is a pure function of (scenario, seed, block,
replications, code); its file is named by a hash of them, so that an interrupted run finds again what it has
finished, and nothing else.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pyarrow as pa
import scipy
from numpy.typing import NDArray

from sim.draws import BLOCK_SIZE
from sim.engine import Block, Case
from sim.errors import ResultsError
from sim.metrics import METRICS, Key, block_metrics
from sim.recorder import SERIES, Bins

Array = NDArray[np.float64]

CODEC = "zstd"
"""Of the weekly bins, the bulk of a part."""


@dataclass(frozen=True)
class Part:
    """What is kept of a block.

    Attributes
    ----------
    keys : tuple of Key
    metrics : (metric, key, replication) float
        In the order of `metrics.METRICS`.
    groups : tuple of (material, country)
    sums : (series, group, review) float
        Sums over replications.
    bins : dict of (group, review, replication) uint16
        By series.
    causes : dict of (group, review) float
        Cause -> sum over replications of its part of the log price.
    first_short : (group, replication) float, d
        First shortage at all; inf where there is none.
    timeline : dict of (replication,) float, d
        (policy, event) -> day of the run.
    ranges : dict of (replication,) float
        Address -> draws.
    spending : dict of (2, replication) float, USD
        (policy, material, country) -> public and private money.
    counts : dict of int
        clearings, steps, unconverged.
    seconds : dict of float
        Wall time by part of the work.
    """

    keys: tuple[Key, ...]
    metrics: Array
    groups: tuple[tuple[str, str], ...]
    sums: Array
    bins: dict[str, NDArray[np.uint16]]
    causes: dict[str, Array]
    first_short: Array
    timeline: dict[tuple[str, str], Array]
    ranges: dict[str, Array]
    spending: dict[tuple[str, str, str], Array]
    counts: dict[str, int]
    seconds: dict[str, float]


def reduce(case: Case, block: Block) -> Part:
    """Return what is kept of a block."""
    recorder = block.recorder
    keys, metrics = block_metrics(case, block)
    names = block.recorder.cause_names
    return Part(
        keys=keys,
        metrics=np.stack([metrics[name] for name in METRICS]),
        groups=recorder.network.groups,
        sums=recorder.sums,
        bins=dict(zip(SERIES, recorder.bins, strict=True)),
        causes={name: recorder.causes[:, place] for place, name in enumerate(names)},
        first_short=recorder.any_short,
        timeline=block.timeline,
        ranges=block.ranges,
        spending={key: np.stack(money) for key, money in sorted(block.spending.items())},
        counts={
            "clearings": block.clearings,
            "newton_steps": block.steps,
            "not_converged": block.unconverged,
        },
        seconds=block.seconds,
    )


# -- files ----------------------------------------------------------------------------------------------


def part_name(identity: Mapping[str, Any], seed: int, block: int, replications: int) -> str:
    """Return the file name of a part: a hash of all that decides what is in it.

    Parameters
    ----------
    identity : mapping
        Plain values of the scenario: its world, policies, horizon and switches.
    """
    key = [identity, seed, block, replications, BLOCK_SIZE, code_version()]
    text = json.dumps(key)  # unsorted: the order of names is the order of rows and of policies
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest() + ".part"


_code: list[str] = []


def code_version() -> str:
    """Return a hash of the simulator's own source and of the libraries that its numbers depend on."""
    if not _code:
        digest = hashlib.blake2b(digest_size=16)
        folder = Path(__file__).parent
        for path in sorted(folder.rglob("*.py")):
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
        digest.update(f"{np.__version__} {scipy.__version__} {numba.__version__}".encode())
        _code.append(digest.hexdigest())
    return _code[0]


def write_part(path: Path, part: Part) -> None:
    """Write a part so that its file is complete or absent."""
    header = {
        "keys": part.keys,
        "groups": part.groups,
        "causes": list(part.causes),
        "events": list(part.timeline),
        "ranges": list(part.ranges),
        "payments": list(part.spending),
        "counts": part.counts,
        "seconds": part.seconds,
        "shape": next(iter(part.bins.values())).shape[1:],
    }
    arrays = {
        "header": np.frombuffer(json.dumps(header).encode(), dtype=np.uint8),
        "metrics": part.metrics,
        "sums": part.sums,
        "causes": _stacked(part.causes),
        "first_short": part.first_short,
        "timeline": _stacked(part.timeline),
        "ranges": _stacked(part.ranges),
        "spending": _stacked(part.spending),
        **{f"bins_{name}": _packed(values) for name, values in part.bins.items()},
    }
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    write_whole(path, buffer.getbuffer())


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Write a file under a temporary name, flush it to disk, then give it its name."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with unfinished.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def _stacked(values: Mapping[Any, Array]) -> Array:
    return np.stack(list(values.values())) if values else np.zeros((0, 0))


def _packed(bins: NDArray[np.uint16]) -> NDArray[np.uint8]:
    return np.frombuffer(pa.compress(np.ascontiguousarray(bins), codec=CODEC, asbytes=True), dtype=np.uint8)


class PartFile:
    """A part on disk, read piece by piece so that no more is held than is asked for.

    Parameters
    ----------
    path : Path

    Raises
    ------
    ResultsError
        If there is no such file, or it is damaged.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file = np.load(path)
            self.header: dict[str, Any] = json.loads(self._file["header"].tobytes())
        except (OSError, ValueError, KeyError) as error:
            raise ResultsError(
                f"{path.name}: the part file cannot be read ({error}). Run the same command again."
            ) from None
        self.keys = tuple(Key(*key) for key in self.header["keys"])
        self.groups = tuple((str(material), str(country)) for material, country in self.header["groups"])

    def __enter__(self) -> PartFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def replications(self) -> int:
        """Replications of this block."""
        return int(self.header["shape"][1])

    def array(self, name: str) -> Array:
        """Return ``metrics``, ``sums`` or ``first_short`` as of `Part`."""
        return np.asarray(self._file[name])

    def named(self, name: str, labels: str) -> dict[Any, Array]:
        """Return ``causes``, ``timeline``, ``ranges`` or ``spending`` by the labels of the header."""
        rows = self._file[name]
        return {
            tuple(label) if isinstance(label, list) else label: row
            for label, row in zip(self.header[labels], rows, strict=True)
        }

    def bins(self, series: str) -> NDArray[np.uint16]:
        """Return the weekly bins of a series, (group, review, replication)."""
        groups = len(self.groups)
        reviews, replications = self.header["shape"]
        size = groups * reviews * replications * 2
        raw = pa.decompress(self._file[f"bins_{series}"], decompressed_size=size, codec=CODEC)
        return np.frombuffer(raw, dtype=np.uint16).reshape(groups, reviews, replications)


def bin_count(series: str) -> int:
    """Return the number of bins of a series."""
    return Bins.counts[series]
