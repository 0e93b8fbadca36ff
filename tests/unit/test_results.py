"""A results directory is whole, or as it was before; its tables agree with each other."""

import json

import numpy as np
import pandas as pd
import pytest

from sim.config.load import load_plan
from sim.errors import ConfigError, ResultsError
from sim.metrics import METRICS
from sim.results import MANIFEST, Results, check_place, config_hash, git_revision, replacing
from sim.tables import COLUMNS
from tests.small_run import REPLICATIONS, SHORT, run_small, small_results


@pytest.fixture(scope="module")
def results():
    return small_results()


# -- tables ---------------------------------------------------------------------------------------------


COLUMNS_PROMISED = {
    "summary": "scenario,mineral,material,country,sector,metric,mean,ci_low,ci_high,p05,p50,p95,n",
    "comparison": "scenario,reference,mineral,material,country,sector,metric,difference,ci_low,ci_high,n",
    "series": "scenario,date,mineral,material,country,series,mean,p05,p25,p50,p75,p95",
    "causes": "scenario,date,mineral,material,country,cause,mean",
    "replications": f"scenario,replication,mineral,material,country,sector,{','.join(METRICS)}",
}


@pytest.mark.parametrize("name", COLUMNS_PROMISED)
def test_columns_are_those_promised(results, name):
    assert ",".join(getattr(results, name)) == COLUMNS_PROMISED[name]


def test_summary_is_that_of_the_replications(results):
    wide = results.replications
    for (scenario, material, country, sector), part in wide.groupby(
        ["scenario", "material", "country", "sector"], observed=True
    ):
        summary = results.summary.set_index(["scenario", "material", "country", "sector", "metric"])
        for metric in METRICS:
            values, row = part[metric].dropna(), summary.loc[(scenario, material, country, sector, metric)]
            assert row["n"] == len(values)
            if len(values):
                assert row["mean"] == pytest.approx(values.mean(), rel=1e-9, abs=1e-9)
                expected = np.quantile(values, (0.05, 0.5, 0.95))
                assert row[["p05", "p50", "p95"]].to_numpy(float) == pytest.approx(expected, rel=1e-9)
                assert row["ci_low"] <= row["mean"] <= row["ci_high"]


def test_rows_stand_in_a_stable_order(results):
    rows = results.replications[["scenario", "replication"]].drop_duplicates()
    assert rows["scenario"].tolist() == ["baseline"] * REPLICATIONS + ["what_if"] * REPLICATIONS
    assert rows["replication"].tolist() == list(range(REPLICATIONS)) * 2
    materials = results.summary["material"].drop_duplicates().tolist()
    assert materials == ["ore", "metal"]


def test_weekly_series_fit_their_quantiles(results):
    series = results.series
    assert set(series["series"]) == {"price_pressure", "days_of_cover", "fill_rate"}
    assert series["date"].min() == pd.Timestamp("2025-01-01")
    assert len(series) == 2 * 3 * 3 * series["date"].nunique()
    bands = series[["p05", "p25", "p50", "p75", "p95"]].to_numpy()
    assert (np.diff(bands, axis=1) >= 0).all()
    first = series[(series["date"] == series["date"].min()) & (series["series"] == "fill_rate")]
    assert first["mean"].to_numpy() == pytest.approx(1.0)


def test_causes_add_up_and_those_that_never_act_are_left_out(results):
    """The mean log price of the ban is explained by its causes, without market noise."""
    causes = results.causes
    ban = causes[(causes["scenario"] == "what_if") & (causes["material"] == "ore")]
    assert set(ban["cause"]) >= {"scarcity at this stage", "ban"}
    assert "added trade cost" not in set(ban["cause"])
    assert ban.groupby("date")["mean"].sum().max() > 0.5


def test_timeline_says_when_and_how_often(results):
    timeline = results.timeline.set_index(["policy", "event"])
    assert timeline.loc[("ban", "in force"), "p50"] == "2025-01-15"
    assert timeline.loc[("ban", "ends"), "p50"] == "2025-09-22"
    assert timeline.loc[("release", "ends"), "share"] == 0.0
    assert timeline.loc[("ban", "announced"), "title"] == "The ban"


def test_headlines_are_those_of_the_replications(results):
    wide = results.replications[results.replications["sector"] == "all"]
    for row in results.headlines.itertuples():
        mine = (
            (wide["scenario"] == row.scenario) & (wide["material"] == row.material) & (wide["country"] == row.country)
        )
        part = wide[mine]
        assert row.shortage_probability == pytest.approx((part["shortage_days"] > 0).mean())
        assert row.price_above_2x_probability == pytest.approx((part["days_price_above_2x"] > 0).mean())
        assert row.shortage_ci_low <= row.shortage_probability <= row.shortage_ci_high
        assert isinstance(row.first_shortage_p50, str) == (row.shortage_probability > 0)


def test_costs_add_up_to_those_of_the_replications(results):
    costs = results.costs.set_index(["scenario", "policy", "country"])
    wide = results.replications[results.replications["sector"] == "all"]
    total = wide[wide["scenario"] == "what_if"].groupby("replication")["policy_cost_public_usd"].sum()
    assert total.mean() != 0
    for key in (("what_if", "all", "all"), ("what_if", "release", "all"), ("what_if", "release", "JPN")):
        assert costs.loc[key, "public_usd"] == pytest.approx(total.mean())
    assert costs.loc[("baseline", "all", "all"), "public_usd"] == 0.0


def test_sensitivity_is_spearmans(results):
    table = results.sensitivity
    row = table[(table["scenario"] == "what_if") & (table["metric"] == "price_peak")].iloc[0]
    assert row["address"] == "materials.ore.supplier_cover" and row["n"] == REPLICATIONS
    assert table["rank_correlation"].abs().max() <= 1.0


# -- manifest -------------------------------------------------------------------------------------------


def test_manifest_repeats_the_run(results):
    manifest = results.manifest
    assert manifest["command"] == (
        f"drawdown run experiments/tiny.yaml --replications {REPLICATIONS} --seed 1 "
        "--set horizon.end=2025-12-31 --set switches.noise=true --set switches.uncertainty=true"
    )
    assert manifest["block_size"] == 128 and manifest["seed"] == 1
    assert manifest["config_sha256"] == config_hash(manifest["resolved"])
    assert {"python", "numpy", "numba"} <= set(manifest["versions"])
    assert set(manifest["solver"]) == {"baseline", "what_if"}
    assert manifest["solver"]["baseline"]["not_converged"] == 0
    assert manifest["ranges"]["materials.ore.supplier_cover"]["unit"] == "d"
    assert manifest["wall_seconds"] > 0
    plan = load_plan(results.directory.parents[1] / "experiments/tiny.yaml", SHORT, replications=REPLICATIONS)
    assert config_hash(plan.resolved) == manifest["config_sha256"]


def test_manifest_names_no_place_on_this_machine(results):
    assert str(results.directory.parents[1]) not in (results.directory / MANIFEST).read_text()


def test_source_outside_git_has_no_revision(tmp_path):
    assert git_revision(tmp_path) is None


# -- whole or not at all --------------------------------------------------------------------------------


@pytest.fixture
def old(tmp_path):
    directory = tmp_path / "results"
    directory.mkdir()
    (directory / MANIFEST).write_text("{}")
    (directory / "old.csv").write_text("a\n1\n")
    return directory


def test_new_results_replace_old_ones(old):
    with replacing(old) as new:
        (new / MANIFEST).write_text('{"new": 1}')
    assert [path.name for path in old.iterdir()] == [MANIFEST]
    assert list(old.parent.iterdir()) == [old]


@pytest.mark.parametrize("end", [RuntimeError, KeyboardInterrupt, ConfigError([])])
def test_a_run_that_fails_leaves_old_results(old, end):
    with pytest.raises((RuntimeError, KeyboardInterrupt, ConfigError)), replacing(old) as new:
        (new / MANIFEST).write_text("half")
        raise end
    assert (old / "old.csv").read_text() == "a\n1\n"
    assert list(old.parent.iterdir()) == [old]


def test_a_full_disk_is_told_plainly(old):
    with pytest.raises(ResultsError, match="cannot be written"), replacing(old):
        raise OSError(28, "No space left on device")
    assert (old / "old.csv").exists()


def test_merging_that_fails_leaves_old_results(tmp_path, monkeypatch):
    run_small(tmp_path, replications=2)
    directory = tmp_path / "results" / "tiny"
    before = {path.name: path.read_bytes() for path in directory.iterdir()}

    def break_down(_):
        raise RuntimeError("in the middle")

    monkeypatch.setattr("sim.study.answer", break_down)
    with pytest.raises(RuntimeError, match="in the middle"):
        run_small(tmp_path, replications=3)
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == before
    monkeypatch.undo()
    assert len(run_small(tmp_path, replications=3).replications["replication"].unique()) == 3
    assert [path.name for path in directory.parent.iterdir()] == ["tiny"]


def test_what_is_not_results_is_never_replaced(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ResultsError, match="holds something other than results"):
        check_place(tmp_path)
    with pytest.raises(ResultsError, match="is not a directory"):
        check_place(tmp_path / "thesis.txt")
    check_place(tmp_path / "new" / "results")


def test_loading_says_what_is_missing(tmp_path, results):
    with pytest.raises(ResultsError, match="not the results of a run"):
        Results.load(tmp_path)
    copy = results.save(tmp_path / "copy")
    assert Results.load(copy.directory).summary.equals(results.summary)
    (copy.directory / "summary.csv").unlink()
    with pytest.raises(ResultsError, match=r"summary\.csv is missing"):
        Results.load(copy.directory)


def test_a_damaged_table_is_told_plainly(tmp_path, results):
    copy = results.save(tmp_path / "copy")
    for name in ("series.parquet", MANIFEST):
        (copy.directory / name).write_text("half a f")
    with pytest.raises(ResultsError, match=r"series\.parquet: cannot be read"):
        _ = copy.series
    with pytest.raises(ResultsError, match=r"manifest\.json: cannot be read"):
        _ = copy.manifest


def test_every_table_is_there(results):
    assert all((results.directory / name).is_file() for name in COLUMNS)
    assert json.loads((results.directory / MANIFEST).read_text())["experiment"] == "tiny"
