"""Merges part files into the tables of a results directory.

Decides columns and order of rows. Parts are read one at a time, always in the same order, so that memory
does not grow with the number of replications and the tables do not depend on who ran which block.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sim.calendar import Calendar
from sim.compare import Comparison, aligned
from sim.config.load import Plan
from sim.draws import BLOCK_SIZE
from sim.errors import ResultsError
from sim.metrics import METRICS, Key
from sim.moments import Moments, add_counts, histogram_quantiles, quantiles, share_interval
from sim.parts import PartFile, bin_count
from sim.recorder import SERIES, Bins
from sim.variance import reduction

Array = NDArray[np.float64]

KEPT = 4096
"""Replications whose exact values give quantiles and rank correlations; moments use all."""

QUANTILES = (0.05, 0.5, 0.95)
BANDS = (0.05, 0.25, 0.5, 0.75, 0.95)

COLUMNS = {
    "summary.csv": "scenario mineral material country sector metric mean ci_low ci_high p05 p50 p95 n",
    "comparison.csv": ("scenario reference mineral material country sector metric difference ci_low ci_high n"),
    "headlines.csv": (
        "scenario mineral material country shortage_probability shortage_ci_low shortage_ci_high "
        "price_above_2x_probability price_above_2x_ci_low price_above_2x_ci_high first_shortage_p50 n"
    ),
    "costs.csv": (
        "scenario policy title country public_usd public_ci_low public_ci_high "
        "private_usd private_ci_low private_ci_high n"
    ),
    "timeline.csv": "scenario policy title event p05 p50 p95 share",
    "sensitivity.csv": "scenario address material country metric rank_correlation n",
    "replications.parquet": f"scenario replication mineral material country sector {' '.join(METRICS)}",
    "series.parquet": "scenario date mineral material country series mean p05 p25 p50 p75 p95",
    "causes.parquet": "scenario date mineral material country cause mean",
}
"""Files of tables with their columns."""

SENSITIVE = ("shortage_days", "price_peak")
"""Metrics whose rank correlation with the drawn ranges is reported."""


def columns(name: str) -> list[str]:
    """Return the columns of a table."""
    return COLUMNS[name].split()


@dataclass
class Merger:
    """The parts of a run, to be merged.

    Parameters
    ----------
    plan : Plan
    calendar : Calendar
    paths : sequence of sequence of Path
        Parts by scenario, in block order.
    solver : dict
        Filled while merging: scenario -> counts.
    seconds : dict
        Filled while merging: wall time of blocks by part of the work.
    saved : dict
        Filled while merging: what variance reduction has saved (see `variance`).
    """

    plan: Plan
    calendar: Calendar
    paths: Sequence[Sequence[Path]]
    solver: dict[str, dict[str, int]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    ranges: dict[str, None] = field(default_factory=dict)
    saved: dict[str, Any] = field(default_factory=dict)

    def write(self, directory: Path) -> None:
        """Write all tables into a directory."""
        comparison = self._comparison()
        _write_csv(directory, "comparison.csv", comparison.rows())
        levels, blocks = {}, {}
        found: dict[str, list[tuple[object, ...]]] = {
            name: [] for name in ("summary.csv", "headlines.csv", "costs.csv", "timeline.csv", "sensitivity.csv")
        }
        with (
            _Writer(directory, "replications.parquet") as replications,
            _Writer(directory, "series.parquet") as series,
            _Writer(directory, "causes.parquet") as causes,
        ):
            for place, scenario in enumerate(self.plan.scenarios):
                merged = Merged(self, place)
                for table in merged.read():
                    replications.add(table)
                for name, rows in found.items():
                    rows += getattr(merged, name.removesuffix(".csv"))()
                for table in merged.series():
                    series.add(table)
                causes.add(merged.causes())
                self.solver[scenario.name] = merged.counts
                levels[scenario.name] = merged.keys, merged.moments
                blocks[scenario.name] = merged.keys, merged.blocks
        self.saved |= reduction(self.plan.experiment, comparison, levels, blocks)
        for name, rows in found.items():
            _write_csv(directory, name, rows)

    def _comparison(self) -> Comparison:
        names = [scenario.name for scenario in self.plan.scenarios]
        gathered = Comparison(names, self.plan.experiment.references, dict(zip(names, self.keys, strict=True)))
        for block in zip(*self.paths, strict=True):
            metrics = {}
            for name, path in zip(names, block, strict=True):
                with PartFile(path) as part:
                    metrics[name] = (part.keys, part.array("metrics"))
            gathered.add(metrics)
        return gathered

    # -- order of rows --------------------------------------------------------------------------------

    @cached_property
    def keys(self) -> list[list[Key]]:
        """Keys of every scenario over all its blocks, in the order of reports."""
        found = []
        for paths in self.paths:
            keys: dict[Key, None] = {}
            for path in paths:
                with PartFile(path) as part:
                    keys.update(dict.fromkeys(part.keys))
            found.append(sorted(keys, key=self._rank))
        return found

    @cached_property
    def payments(self) -> list[list[tuple[str, str]]]:
        """(policy, who pays) of every scenario over all its blocks; ``all`` stands for the sum."""
        found = []
        for scenario, paths in zip(self.plan.scenarios, self.paths, strict=True):
            paid: set[tuple[str, str]] = {("all", "all")}
            for path in paths:
                with PartFile(path) as part:
                    for policy, _, country in part.header["payments"]:
                        paid |= {(policy, "all"), (policy, country)}
            order = ["all", *scenario.policies]
            found.append(sorted(paid, key=lambda each: (order.index(each[0]), each[1] != "all", each[1])))
        return found

    def _rank(self, key: Key) -> tuple[int, int]:
        """Return the place of a key: along the chain, then countries; sectors stay in their own order."""
        world = self.plan.scenarios[0].world
        return list(world.materials).index(key.material), list(world.countries).index(key.country)

    def date(self, day: float) -> str:
        """Return a day of the run as a date; empty where it never comes."""
        return self.calendar.date(day).isoformat() if np.isfinite(day) else ""


@dataclass
class Merged:
    """One scenario, merged over its blocks.

    Parameters
    ----------
    run : Merger
    place : int
        Of the scenario in the run.

    Attributes
    ----------
    sample : (metric, key, replication) float
        Exact values of the first replications.
    """

    run: Merger
    place: int
    counts: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.scenario = self.run.plan.scenarios[self.place]
        self.name, self.paths = self.scenario.name, self.run.paths[self.place]
        self.keys = self.run.keys[self.place]
        self.moments = Moments((len(METRICS), len(self.keys)))
        self.blocks = Moments((len(METRICS), len(self.keys)))  # of the means of full blocks
        kept = min(KEPT, self.run.plan.experiment.replications)
        self.sample = np.empty((len(METRICS), len(self.keys), kept))
        self.first_short: list[Array] = []
        self.events: dict[tuple[str, str], list[Array]] = {}
        self.ranges: dict[str, list[Array]] = {}
        self.payments = self.run.payments[self.place]
        self.paid = Moments((len(self.payments), 2))
        self.short = np.zeros(len(self.keys), dtype=np.int64)
        self.dear = np.zeros(len(self.keys), dtype=np.int64)
        self.replications = 0
        self.mineral_of = {m: name for name, chain in self.scenario.world.minerals.items() for m in chain}

    def read(self) -> Iterator[pa.Table]:
        """Take in every block, yielding its rows of ``replications.parquet``."""
        for path in self.paths:
            with PartFile(path) as part:
                metrics = aligned((part.keys, part.array("metrics")), self.keys)
                self._add(part, metrics)
            first = self.replications
            self.replications += metrics.shape[2]
            yield self._rows(metrics, first)

    def _add(self, part: PartFile, metrics: Array) -> None:
        self.moments.add(metrics)
        if metrics.shape[2] == BLOCK_SIZE:
            self.blocks.add(metrics.mean(axis=2)[..., None])
        self.short += (metrics[METRICS.index("shortage_days")] > 0).sum(axis=1)
        self.dear += (metrics[METRICS.index("days_price_above_2x")] > 0).sum(axis=1)
        self.paid.add(self._paid(part))
        for name, count in part.header["counts"].items():
            self.counts[name] = self.counts.get(name, 0) + count
        for name, seconds in part.header["seconds"].items():
            self.run.seconds[name] = self.run.seconds.get(name, 0.0) + seconds
        self.groups = part.groups
        if self.replications < KEPT:
            room = self.sample[:, :, self.replications : self.replications + metrics.shape[2]]
            room[:] = metrics[:, :, : room.shape[2]]
            self.first_short.append(part.array("first_short"))
            for event, days in part.named("timeline", "events").items():
                self.events.setdefault(event, []).append(days)
            for address, values in part.named("ranges", "ranges").items():
                self.ranges.setdefault(address, []).append(values)
        self.run.ranges.update(dict.fromkeys(part.header["ranges"]))

    def _paid(self, part: PartFile) -> Array:
        """Return public and private money of one block by policy and payer, (payment, 2, replication), USD."""
        money = np.zeros((len(self.payments), 2, part.replications))
        for (policy, _, country), amount in part.named("spending", "payments").items():
            for payment in dict.fromkeys(((policy, country), (policy, "all"), ("all", "all"))):
                money[self.payments.index(payment)] += amount
        return money

    def _rows(self, metrics: Array, first: int) -> pa.Table:
        """Return one block as rows, replication by replication."""
        count = metrics.shape[2]
        labels = {
            "scenario": _words([self.name], np.zeros(count * len(self.keys), dtype=np.int32)),
            "replication": np.repeat(np.arange(first, first + count, dtype=np.int32), len(self.keys)),
        }
        for place, column in enumerate(Key._fields):
            words = list(dict.fromkeys(key[place] for key in self.keys))
            codes = np.array([words.index(key[place]) for key in self.keys], dtype=np.int32)
            labels[column] = _words(words, np.tile(codes, count))
        values = {name: metrics[m].T.reshape(-1) for m, name in enumerate(METRICS)}
        return pa.table({**labels, **values})

    # -- tables ---------------------------------------------------------------------------------------

    def summary(self) -> Iterator[tuple[object, ...]]:
        """Yield the rows of ``summary.csv``."""
        mean, low, high = self.moments.interval()
        # Metric by metric, because sorting needs a copy.
        levels = np.stack([quantiles(values, QUANTILES) for values in self.sample], axis=1)
        for k, key in enumerate(self.keys):
            for m, metric in enumerate(METRICS):
                numbers = (mean[m, k], low[m, k], high[m, k], *levels[:, m, k])
                yield (self.name, *key, metric, *numbers, self.moments.count[m, k])

    def headlines(self) -> Iterator[tuple[object, ...]]:
        """Yield what people quote of each group: odds of a shortage, of a double price, its first date."""
        first = dict(zip(self.groups, np.concatenate(self.first_short, axis=1)[:, :KEPT], strict=True))
        chances = zip(
            *share_interval(self.short, self.replications),
            *share_interval(self.dear, self.replications),
            strict=True,
        )
        for key, chance in zip(self.keys, chances, strict=True):
            if key.sector == "all" and (key.material, key.country) in first:
                days = first[key.material, key.country]
                days = days[np.isfinite(days)]
                date = self.run.date(float(np.median(days))) if days.size else ""
                yield (self.name, *key[:3], *chance, date, self.replications)

    def costs(self) -> Iterator[tuple[object, ...]]:
        """Yield the money of each policy by who pays, of each policy, and of all policies together."""
        ends = self.paid.interval()
        for row, (policy, country) in enumerate(self.payments):
            title = self.scenario.policies.get(policy, {}).get("title", policy)
            numbers = [end[row, kind] for kind in (0, 1) for end in ends]
            yield (self.name, policy, title, country, *numbers, self.replications)

    def timeline(self) -> Iterator[tuple[object, ...]]:
        """Yield the dates of the policies' events, over the replications in which they come in time."""
        for (policy, event), parts in self.events.items():
            days = np.concatenate(parts)[:KEPT]
            there = days[days < self.run.calendar.horizon]
            dates = [self.run.date(day) for day in quantiles(there, QUANTILES)] if there.size else [""] * 3
            title = self.scenario.policies[policy].get("title", policy)
            yield (self.name, policy, title, event, *dates, there.size / days.size)

    def sensitivity(self) -> Iterator[tuple[object, ...]]:
        """Yield rank correlations (Spearman) of what was drawn with what came of it, in the groups in focus."""
        focus = self.run.plan.experiment.focus
        rows = [
            k
            for k, key in enumerate(self.keys)
            if key.sector == "all"
            and key.country in focus.countries
            and (not focus.materials or key.material in focus.materials)
        ]
        drawn = {name: np.concatenate(parts)[:KEPT] for name, parts in self.ranges.items()}
        drawn = {name: values for name, values in drawn.items() if values.size == self.sample.shape[2]}
        if not drawn or not rows or self.replications < 3:
            return
        results = [(metric, k) for metric in SENSITIVE for k in rows]
        outcomes = np.array([self.sample[METRICS.index(metric), k] for metric, k in results])
        table = _rank_correlation(np.array(list(drawn.values())), outcomes)
        for address, correlations in zip(drawn, table, strict=True):
            for (metric, k), value in zip(results, correlations, strict=True):
                key = self.keys[k]
                if np.isfinite(value):
                    yield (
                        self.name, address, key.material, key.country, metric, value, self.sample.shape[2]
                    )  # fmt: skip

    def series(self) -> Iterator[pa.Table]:
        """Yield the weekly series, one table per series."""
        for place, name in enumerate(SERIES):
            total, counts = self._gathered(place, name)
            levels = histogram_quantiles(counts, Bins.middles(name), BANDS)
            mean = total / self.replications
            # A country that never needs any has no cover to speak of.
            empty = (total == 0.0) & (counts[..., -1] == self.replications)
            mean[empty], levels[:, empty] = np.nan, np.nan
            bands = {f"p{round(100 * q):02d}": level.reshape(-1) for q, level in zip(BANDS, levels, strict=True)}
            label = {"series": _words([name], np.zeros(mean.size, dtype=np.int32))}
            yield pa.table({**self._weekly(), **label, "mean": mean.reshape(-1), **bands})

    def _gathered(self, place: int, name: str) -> tuple[Array, NDArray[np.uint32]]:
        """Return sums over replications (group, review) and histograms (group, review, bin) of a series."""
        shape = (len(self.groups), self.run.calendar.reviews)
        total = np.zeros(shape)
        counts = np.zeros((shape[0] * shape[1], bin_count(name)), dtype=np.uint32)
        for path in self.paths:
            with PartFile(path) as part:
                total += part.array("sums")[place]
                bins = part.bins(name).reshape(counts.shape[0], -1)
            add_counts(bins, counts)
        return total, counts.reshape(*shape, -1)

    def causes(self) -> pa.Table:
        """Return the mean parts of each log price; causes that never act are left out."""
        total: dict[str, Array] = {}
        for path in self.paths:
            with PartFile(path) as part:
                for cause, values in part.named("causes", "causes").items():
                    total[cause] = total.get(cause, 0.0) + values
        acting = {cause: values / self.replications for cause, values in total.items() if values.any()}
        tables = [
            pa.table({
                **self._weekly(),
                "cause": _words(list(total), np.full(values.size, list(total).index(cause), dtype=np.int32)),
                "mean": values.reshape(-1),
            })
            for cause, values in acting.items()
        ]  # fmt: skip
        return pa.concat_tables(tables, promote_options="default") if tables else _no_rows("causes.parquet")

    def _weekly(self) -> dict[str, Any]:
        """Return the label columns of a (group, review) array."""
        reviews, groups = self.run.calendar.reviews, len(self.groups)
        size = reviews * groups
        dates = np.datetime64(self.run.calendar.start, "D") + self.run.calendar.times.astype("timedelta64[D]")
        labels: dict[str, Any] = {
            "scenario": _words([self.name], np.zeros(size, dtype=np.int32)),
            "date": pa.array(np.tile(dates, groups)).cast(pa.timestamp("ms")),
        }
        rows = [(self.mineral_of[material], material, country) for material, country in self.groups]
        for place, column in enumerate(Key._fields[:3]):
            words = list(dict.fromkeys(row[place] for row in rows))
            codes = np.array([words.index(row[place]) for row in rows], dtype=np.int32)
            labels[column] = _words(words, np.repeat(codes, reviews))
        return labels


def _rank_correlation(drawn: Array, outcomes: Array) -> Array:
    """Return Spearman's rank correlation, (drawn, outcome); NaN where either never varies."""
    from scipy.stats import rankdata  # takes as long to load as the rest of a start, and only now is it of use

    def standard(values: Array) -> Array:
        ranks = rankdata(values, axis=1)
        ranks -= ranks.mean(axis=1, keepdims=True)
        length = np.sqrt((ranks**2).sum(axis=1, keepdims=True))
        return np.divide(ranks, length, out=np.full_like(ranks, np.nan), where=length > 0)

    # A sum over replications, not a matrix product: its rounding depends on the number of threads.
    ranked = standard(outcomes)
    return np.array([(row * ranked).sum(axis=1) for row in standard(drawn)])


# -- writing --------------------------------------------------------------------------------------------


def _words(words: Sequence[str], codes: NDArray[np.int32]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(codes, list(words))


def _no_rows(name: str) -> pa.Table:
    """Return an empty table with the types that `_weekly` gives, so that later scenarios fit beneath it."""
    numbers = {"mean": pa.float64(), "date": pa.timestamp("ms")}
    words = pa.dictionary(pa.int32(), pa.string())
    return pa.schema([(column, numbers.get(column, words)) for column in columns(name)]).empty_table()


ROWS = 1 << 17
"""Rows of a row group, about: few enough to hold, and so many that the list of row groups stays short."""


class _Writer:
    """Writes a Parquet file table by table, some tables to a row group."""

    def __init__(self, directory: Path, name: str) -> None:
        self.path, self.name = directory / name, name
        self._file: pq.ParquetWriter | None = None
        self._waiting: list[pa.Table] = []

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()
        if self._file is not None:
            self._file.close()

    def add(self, table: pa.Table) -> None:
        """Take in a table."""
        self._waiting.append(table.select(columns(self.name)))
        if sum(each.num_rows for each in self._waiting) >= ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what was taken in as one row group."""
        if not self._waiting:
            return
        table = pa.concat_tables(self._waiting).unify_dictionaries()
        self._waiting = []
        if self._file is None:
            self._file = pq.ParquetWriter(self.path, table.schema, compression="zstd")
        self._file.write_table(table, row_group_size=max(table.num_rows, 1))


def _write_csv(directory: Path, name: str, rows: Iterable[tuple[object, ...]]) -> None:
    frame = pd.DataFrame(list(rows), columns=columns(name))
    frame.to_csv(directory / name, index=False, lineterminator="\n")


def read_table(directory: Path, name: str) -> pd.DataFrame:
    """Return a table of a results directory.

    Raises
    ------
    ResultsError
        If it is missing or cannot be read.
    """
    path = directory / name
    try:
        return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, keep_default_na=True)
    except (OSError, ValueError) as error:
        raise ResultsError(f"{directory.name}/{name}: cannot be read ({error}). Run the experiment again.") from None
