"""Blocks on a Dask cluster: two workers of this machine give what one process gives, and so they do if one dies."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from sim.errors import ConfigError
from sim.tables import COLUMNS
from tests.small_run import REPLICATIONS, run_small, small_results

distributed = pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")

# Dask's own threads and sockets may outlive a cluster by a moment.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning", "ignore::UserWarning"),
]


@pytest.fixture(scope="module")
def local():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50, memory_limit=None
    ) as cluster:
        yield cluster


def assert_same(results, serial):
    for name in COLUMNS:
        assert (results.directory / name).read_bytes() == (serial.directory / name).read_bytes(), name


def test_a_cluster_gives_the_same_bytes(local, tmp_path):
    results = run_small(tmp_path, cluster=local.scheduler_address)
    assert_same(results, small_results())
    assert not list((tmp_path / "results").glob(".*"))
    with distributed.Client(local, set_as_default=False) as client:
        assert set(client.run(_remembered).values()) == {0}, "workers forget a run when it ends"


def _remembered() -> int:
    from sim.montecarlo import _given

    return len(_given)


def test_killing_a_worker_changes_nothing(local, tmp_path):
    """Its block is run again by another, or by what comes in its place."""
    count = 6 * 128
    serial = run_small(tmp_path / "serial", replications=count)
    parts = tmp_path / "killed" / "results" / ".tiny.parts"
    killed = []

    def kill() -> None:
        deadline = time.monotonic() + 120
        while not list(parts.glob("*.part")) and time.monotonic() < deadline:
            time.sleep(0.01)
        killed.append(local.workers[0].pid)
        os.kill(killed[0], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    results = run_small(tmp_path / "killed", replications=count, cluster=local.scheduler_address)
    killer.join()
    assert killed
    assert_same(results, serial)


def test_a_cluster_that_cannot_be_reached_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("sim.cluster.PATIENCE", 0.5)
    for address in ("tcp://127.0.0.1:9", "nowhere at all"):
        with pytest.raises(ConfigError, match="--cluster"):
            run_small(tmp_path, replications=REPLICATIONS, cluster=address)


def test_workers_of_another_version_are_refused(local, tmp_path, monkeypatch):
    monkeypatch.setattr("sim.cluster.Start.__init__", _of_another_version)
    with pytest.raises(ConfigError, match="has another version of the code"):
        run_small(tmp_path, replications=2, cluster=local.scheduler_address)


def _of_another_version(self, start, end, here):
    self._start, self._end, self._here, self._version = start, end, here, "another"
