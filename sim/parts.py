"""The part file of one block of one scenario: what is kept of it on disk until the run is merged.

Decides which arrays leave a block and in which form. A part is a pure function of (scenario, seed, block,
replications, code); its file is named by a hash of them, so that an interrupted run finds again what it has
finished, and nothing else.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
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
"""Of all arrays in a part."""


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
        By series; on disk, in rising order over replications.
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


def seal(identity: Mapping[str, Any], seed: int) -> str:
    """Return a hash of all that decides what is in the blocks of a scenario.

    Parameters
    ----------
    identity : mapping
        Plain values of the scenario: its world, policies, horizon and switches.
    """
    # Unsorted: the order of names is the order of rows and of policies.
    return _hash(json.dumps([identity, seed, BLOCK_SIZE, code_version()]))


def part_name(sealed: str, block: int, replications: int) -> str:
    """Return the file name of the part of a block of a scenario that is known by its `seal`."""
    return f"{part_prefix()}{_hash(f'{sealed} {block} {replications}')}.part"


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def part_prefix() -> str:
    """Return what the names of all parts of this version of the code begin with."""
    return f"{code_version()[:8]}-"


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
    write_whole(path, packed(part))


def packed(part: Part) -> memoryview:
    """Return the content of a part's file."""
    arrays = {
        "metrics": part.metrics,
        "sums": part.sums,
        "causes": _stacked(part.causes),
        "first_short": part.first_short,
        "timeline": _stacked(part.timeline),
        "ranges": _stacked(part.ranges),
        "spending": _stacked(part.spending),
    }
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
        "shapes": {name: values.shape for name, values in arrays.items()},
    }
    content = {
        "header": np.frombuffer(json.dumps(header).encode(), dtype=np.uint8),
        **{name: _compressed(values) for name, values in arrays.items()},
        **{f"bins_{name}": _compressed(_steps(values)) for name, values in part.bins.items()},
    }
    buffer = io.BytesIO()
    np.savez(buffer, **content)  # type: ignore[arg-type]
    return buffer.getbuffer()


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Write a file under a temporary name, flush it to disk, then give it its name.

    Whatever ends the process, and whenever, a file with that name is complete; what is left of another ends in
    ``.tmp``.
    """
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with unfinished.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the name, too, survives a loss of power
    finally:
        os.close(folder)


def _stacked(values: Mapping[Any, Array]) -> Array:
    return np.stack(list(values.values())) if values else np.zeros((0, 0))


def _compressed(values: NDArray[Any]) -> NDArray[np.uint8]:
    return np.frombuffer(pa.compress(np.ascontiguousarray(values), codec=CODEC, asbytes=True), dtype=np.uint8)


def _steps(bins: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Return bins as the steps between them in rising order, low bytes first: a quarter of the size when compressed.

    Which replication fell into which bin is lost; a histogram does not ask.
    """
    steps = np.sort(bins, axis=-1)
    steps[..., 1:] -= steps[..., :-1].copy()
    return np.stack([(steps & 255).astype(np.uint8), (steps >> 8).astype(np.uint8)])


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
        shape = self.header["shapes"][name]
        size = 8 * math.prod(shape)
        if not size:
            return np.zeros(shape)
        return np.frombuffer(self._raw(name, size), dtype=np.float64).reshape(shape)

    def _raw(self, name: str, size: int) -> bytes:
        found: bytes = pa.decompress(self._file[name], decompressed_size=size, codec=CODEC, asbytes=True)
        return found

    def named(self, name: str, labels: str) -> dict[Any, Array]:
        """Return ``causes``, ``timeline``, ``ranges`` or ``spending`` by the labels of the header."""
        rows = self.array(name)
        return {
            tuple(label) if isinstance(label, list) else label: row
            for label, row in zip(self.header[labels], rows, strict=True)
        }

    def bins(self, series: str) -> NDArray[np.uint16]:
        """Return the weekly bins of a series, (group, review, replication), in rising order over replications."""
        shape = (len(self.groups), *self.header["shape"])
        count = math.prod(shape)
        low, high = np.frombuffer(self._raw(f"bins_{series}", 2 * count), dtype=np.uint8).reshape(2, *shape)
        return np.cumsum(low + high.astype(np.uint16) * 256, axis=-1, dtype=np.uint16)


def bin_count(series: str) -> int:
    """Return the number of bins of a series."""
    return Bins.counts[series]
