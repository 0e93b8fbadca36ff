"""Figures are drawn from made-up results; what they say is read back from the figure itself."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from sim.errors import ResultsError
from sim.happened import Event, histories
from sim.plots import draw_all, figures
from sim.plots.attribution import OTHER, cause_tables, draw_attribution
from sim.plots.cover import draw_cover
from sim.plots.effect import draw_effect
from sim.plots.events import Label, _what, concerns, marks
from sim.plots.price import draw_price
from sim.plots.saved import Saved, in_words, listed
from sim.plots.shortage import draw_shortage, share_of_runs
from sim.plots.style import RC, SCENARIO_COLOURS, dark, day_number, note_columns, save
from sim.plots.timeline import draw_timeline

SCENARIOS = {
    "baseline": ("No controls", False),
    "controls_suspended": ("What happened: licences, the October tightening suspended", False),
    "china_controls": ("The October tightening was never suspended", True),
    "framework": ("US-Japan framework of October 2025", True),
    "framework_end_products_6_months": ("The framework, with first end products within six months", True),
    "allied_sourcing": ("Offtake from Malaysia, Thailand and Australia", True),
    "framework_and_allies": ("The framework and the allies together", True),
}
COUNTRIES = {
    "CHN": "China", "JPN": "Japan", "USA": "United States", "EU27": "European Union (27 members)", "KOR": "South Korea",
}  # fmt: skip
MATERIALS = {"dytb_oxide": "Dysprosium and terbium oxide", "magnets": "Sintered NdFeB magnets"}
POLICIES = {
    "april_licence": "Licences for Dy, Tb and magnets",
    "october_tightening": "October tightening (0.1 % rule)",
    "kuantan_heavy": "Lynas heavy separation, Kuantan",
    "stillwater": "USA Rare Earth, Stillwater",
    "tenx": "MP 10X magnet plant",
    "japan_build": "Japan's complementary stockpile",
    "joint_release": "Joint release of stockpiles",
    "offtake": "Offtake from Malaysia, Thailand, Australia",
}
CAUSES = {
    "scarcity at this stage": 0.3, "scarcity upstream": 0.15, "sellers' caution": 0.1, "rerouting": -0.08,
    "added trade cost": 0.002, "input cost, untraced": 0.0, "april_licence": 0.33, "october_tightening": 0.2,
}  # fmt: skip
"""Share of each in the log price."""
QUANTILES = {"p05": -1.64, "p25": -0.67, "p50": 0.0, "p75": 0.67, "p95": 1.64}
METRICS = ("shortage_days", "price_mean", "procurement_cost_usd")
SEVERITY = (0.0, 0.45, 1.0, 0.75, 0.65, 0.7, 0.5)


def write_results(directory: Path, scenarios: int = 7, weeks: int = 261, runs: int = 512) -> Path:
    """Write results with the columns of `sim.results` and numbers that look like an embargo abroad."""
    directory.mkdir(parents=True, exist_ok=True)
    names = tuple(SCENARIOS)[:scenarios]
    dates = pd.date_range("2025-01-05", periods=weeks, freq=pd.Timedelta(days=int(261 * 7 / weeks)))
    rng = np.random.default_rng(1)
    _write_manifest(directory, names)
    _series(names, dates).to_parquet(directory / "series.parquet")
    _causes(names, dates).to_parquet(directory / "causes.parquet")
    replications = _replications(names, runs, rng)
    replications.to_parquet(directory / "replications.parquet")
    _summary(replications).to_csv(directory / "summary.csv", index=False)
    _comparison(replications, [n for n in ("baseline", "china_controls") if n in names]).to_csv(
        directory / "comparison.csv", index=False
    )
    _timeline(names).to_csv(directory / "timeline.csv", index=False)
    return directory


def _write_manifest(directory: Path, names: tuple[str, ...]) -> None:
    world = {
        "materials": {m: {"title": t} for m, t in MATERIALS.items()},
        "countries": COUNTRIES,
        "processes": {"magnet_making": {"outputs": {"magnets": 1}}},
    }
    experiment = {
        "title": "A test", "independent_of": "CHN", "references": ["baseline", "china_controls"],
        "scenarios": list(names), "focus": {"countries": ["JPN", "USA", "EU27"], "materials": list(MATERIALS)},
    }  # fmt: skip
    scenarios = {
        n: {"title": SCENARIOS[n][0], "counterfactual": SCENARIOS[n][1], "world": world, "policies": _policies(n)}
        for n in names
    }
    resolved = {"experiment": experiment, "scenarios": scenarios}
    (directory / "manifest.json").write_text(json.dumps({"seed": 1, "resolved": resolved}), encoding="utf-8")


def _policies(scenario: str) -> dict[str, dict[str, object]]:
    """Return the policies of a scenario: controls, then the framework's, then the allies'."""
    names = [] if scenario == "baseline" else list(POLICIES)[:2]
    names += list(POLICIES)[2:7] if "framework" in scenario else []
    names += ["offtake"] if "all" in scenario else []
    found: dict[str, dict[str, object]] = {name: {"type": "x", "title": POLICIES[name]} for name in names}
    if scenario == "controls_suspended":
        found["october_tightening"]["end"] = "2025-11-07"
    if "stillwater" in found:
        found["stillwater"]["process"] = "magnet_making"
    return found


def _pulse(days: np.ndarray, start: float, rise: float, fade: float) -> np.ndarray:
    after = np.clip(days - start, 0, None)
    return (1 - np.exp(-after / rise)) * np.exp(-after / fade)


def _log_price(days: np.ndarray, severity: float, country: str) -> np.ndarray:
    abroad = 0.05 if country == "CHN" else 1.0
    return abroad * severity * (1.3 * _pulse(days, 93, 20, 120) + 1.9 * _pulse(days, 310, 60, 500))


def _series(names: tuple[str, ...], dates: pd.DatetimeIndex) -> pd.DataFrame:
    days = np.asarray((dates - dates[0]).days, float)
    frames = []
    for i, name in enumerate(names):
        for material in MATERIALS:
            for j, country in enumerate(COUNTRIES):
                log = _log_price(days, SEVERITY[i] * (1 if material == "dytb_oxide" else 0.5), country)
                spread = 0.3 * np.minimum(days / 250, 1) + 0.35 * log
                cover = (35 + 8 * j) * np.exp(-0.4 * log)
                for series, middle, width in (
                    ("price_pressure", np.exp(log), spread),
                    ("days_of_cover", cover, np.full_like(cover, 0.15)),
                    ("fill_rate", 1 - 0.05 * log, np.zeros_like(log)),
                ):
                    frame = {"scenario": name, "date": dates, "mineral": "rare_earths", "material": material}
                    bands = {name: middle * np.exp(z * width) for name, z in QUANTILES.items()}
                    frames.append(
                        pd.DataFrame({**frame, "country": country, "series": series, "mean": middle, **bands})
                    )
    return pd.concat(frames)


def _causes(names: tuple[str, ...], dates: pd.DatetimeIndex) -> pd.DataFrame:
    days = np.asarray((dates - dates[0]).days, float)
    frames = []
    for i, name in enumerate(names):
        for material in MATERIALS:
            for country in COUNTRIES:
                log = _log_price(days, SEVERITY[i], country)
                for cause, share in CAUSES.items():
                    row = {"scenario": name, "date": dates, "mineral": "rare_earths", "material": material}
                    frames.append(pd.DataFrame({**row, "country": country, "cause": cause, "mean": share * log}))
    return pd.concat(frames)


def _replications(names: tuple[str, ...], runs: int, rng: np.random.Generator) -> pd.DataFrame:
    luck = rng.normal(size=runs)
    frames = []
    for i, name in enumerate(names):
        for k, material in enumerate(MATERIALS):
            for country in COUNTRIES:
                hit = 0.1 if country == "CHN" else SEVERITY[i]
                days = np.clip(60 * hit * (1 - 0.4 * k) + 40 * hit * luck + 5 * rng.normal(size=runs) - 20, 0, None)
                price, cost = 1 + hit * np.exp(0.3 * luck), 4e8 * hit * np.exp(0.4 * luck)
                values = dict(zip(METRICS, (days, price, cost), strict=True))
                row = {"scenario": name, "replication": np.arange(runs), "mineral": "rare_earths", "material": material}
                frames += [pd.DataFrame({**row, "country": country, "sector": s, **values}) for s in ("all", "defence")]
    return pd.concat(frames)


KEYS = ["scenario", "mineral", "material", "country", "sector"]


def _summary(replications: pd.DataFrame) -> pd.DataFrame:
    long = replications.melt([*KEYS, "replication"], list(METRICS), "metric", "value")
    grouped = long.groupby([*KEYS, "metric"])["value"]
    table = pd.DataFrame({"mean": grouped.mean(), "n": grouped.size()})
    half = 1.96 * grouped.std() / np.sqrt(table["n"])
    table["ci_low"], table["ci_high"] = table["mean"] - half, table["mean"] + half
    for q in (5, 50, 95):
        table[f"p{q:02d}"] = grouped.quantile(q / 100)
    return table.reset_index()[[*KEYS, "metric", "mean", "ci_low", "ci_high", "p05", "p50", "p95", "n"]]


def _comparison(replications: pd.DataFrame, references: list[str]) -> pd.DataFrame:
    long = replications.melt([*KEYS, "replication"], list(METRICS), "metric", "value")
    wide = long.pivot_table(index=[*KEYS[1:], "metric", "replication"], columns="scenario", values="value")
    frames = []
    for reference in references:
        for name in wide.columns.drop(reference):
            grouped = (wide[name] - wide[reference]).groupby([*KEYS[1:], "metric"])
            table = pd.DataFrame({"difference": grouped.mean(), "n": grouped.size()})
            half = 1.96 * grouped.std() / np.sqrt(table["n"])
            table["ci_low"], table["ci_high"] = table["difference"] - half, table["difference"] + half
            frames.append(table.reset_index().assign(scenario=name, reference=reference))
    columns = ["scenario", "reference", *KEYS[1:], "metric", "difference", "ci_low", "ci_high", "n"]
    return pd.concat([pd.DataFrame(columns=columns), *frames]) if not frames else pd.concat(frames)[columns]


def _timeline(names: tuple[str, ...]) -> pd.DataFrame:
    rows = []

    def add(name: str, policy: str, event: str, p50: str, p05: str = "", p95: str = "", share: float = 1.0) -> None:
        rows.append((name, policy, POLICIES[policy], event, p05 or p50, p50, p95 or p50, share))

    for name in names[1:]:
        add(name, "april_licence", "announced", "2025-04-04")
        add(name, "april_licence", "in force", "2025-04-04")
        add(name, "october_tightening", "announced", "2025-10-09")
        if name == "controls_suspended":
            add(name, "october_tightening", "ends", "2025-11-07")
        else:
            add(name, "october_tightening", "in force", "2025-12-01")
        if "framework" in name:
            for policy in ("kuantan_heavy", "stillwater", "tenx", "japan_build", "joint_release"):
                add(name, policy, "announced", "2025-10-28")
                add(name, policy, "in force", "2026-04-28")
            add(name, "kuantan_heavy", "first output", "2027-06-01", "2027-01-01", "2028-02-01", 0.8)
            add(name, "stillwater", "first output", "2028-03-01", "2027-06-01", "2029-02-01", 0.7)
            add(name, "tenx", "first output", "2028-09-01", "2028-02-01", "2029-09-01", 0.01)
        if "all" in name:
            add(name, "offtake", "announced", "2025-10-26")
            add(name, "offtake", "first delivery", "2026-09-01", "2026-05-01", "2027-02-01", 1.0)
        rows.append((name, "april_licence", POLICIES["april_licence"], "never", "", "", "", 0.0))
    return pd.DataFrame(rows, columns=["scenario", "policy", "title", "event", "p05", "p50", "p95", "share"])


# -- what the figures say -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    return Saved(write_results(tmp_path_factory.mktemp("results"), weeks=40, runs=32))


def words(figure: Figure) -> str:
    """Return all text of a figure on one line."""
    found = [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]
    return " ".join(" ".join(found).split())


@pytest.fixture(scope="module")
def drawn(saved: Saved) -> Iterator[dict[str, Figure]]:
    with rc_context(RC):
        yield draw_kinds(saved)


def draw_kinds(saved: Saved) -> dict[str, Figure]:
    return {
        "price": draw_price(saved, "magnets"),
        "cover": draw_cover(saved, "magnets"),
        "attribution": draw_attribution(saved, "magnets", "JPN"),
        "shortage": draw_shortage(saved),
        "effect": draw_effect(saved, "baseline"),
        "timeline": draw_timeline(saved),
    }


@pytest.mark.parametrize("kind", ["price", "cover", "attribution", "shortage", "effect", "timeline"])
class TestEveryFigure:
    def test_shows_every_scenario_by_its_title(self, drawn: dict[str, Figure], kind: str) -> None:
        text = words(drawn[kind])
        for title, _ in SCENARIOS.values():
            assert title in text

    def test_says_counterfactual_for_each_that_is(self, drawn: dict[str, Figure], kind: str) -> None:
        flags = sum(flag for _, flag in SCENARIOS.values())
        assert words(drawn[kind]).count("counterfactual") >= flags

    def test_names_nothing_by_its_internal_name(self, drawn: dict[str, Figure], kind: str) -> None:
        text = words(drawn[kind])
        for name in [*SCENARIOS, *COUNTRIES, *MATERIALS, *POLICIES, *METRICS, "price_pressure", "p50"]:
            # USA stands in the title of a policy; names that are plain words say nothing wrong.
            if ("_" in name or any(c.isdigit() or c.isupper() for c in name)) and name != "USA":
                assert name not in text

    def test_has_a_title_that_asks(self, drawn: dict[str, Figure], kind: str) -> None:
        assert drawn[kind].texts[0].get_text().endswith("?")

    def test_no_text_leaves_the_figure_or_runs_into_a_panel(self, drawn: dict[str, Figure], kind: str) -> None:
        figure = drawn[kind]
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        texts = [*figure.texts, *(text for legend in figure.legends for text in legend.get_texts())]
        texts += [axes.title for axes in figure.axes] + [axes._left_title for axes in figure.axes]
        for text in [text for text in texts if text.get_text()]:
            box = text.get_window_extent(canvas.get_renderer())
            assert box.x0 >= 0 and box.x1 <= figure.bbox.x1 and box.y0 >= 0 and box.y1 <= figure.bbox.y1, text
            assert not any(axes.axison and axes.bbox.overlaps(box) for axes in figure.axes), text
        for legend in [axes.get_legend() for axes in figure.axes if axes.get_legend()]:
            box = legend.get_window_extent(canvas.get_renderer())
            assert box.x1 <= figure.bbox.x1
            assert not any(text.get_window_extent(canvas.get_renderer()).overlaps(box) for text in figure.texts)


def test_price_fan_is_that_of_the_series(saved: Saved) -> None:
    figure = draw_price(saved, "dytb_oxide")
    panel = figure.axes[list(SCENARIOS).index("china_controls")]
    assert "never suspended" in " ".join(panel.get_title(loc="left").split())
    frame = saved.bands("price_pressure", "dytb_oxide")["china_controls", "JPN"]
    assert any(np.array_equal(line.get_ydata(), frame["p50"]) for line in panel.get_lines())
    assert panel.get_yscale() == "log"


def test_causes_add_up_to_the_log_price(saved: Saved) -> None:
    tables = cause_tables(saved, "magnets", "JPN")
    assert set(tables) == set(SCENARIOS)
    frame = saved.causes[(saved.causes["material"] == "magnets") & (saved.causes["country"] == "JPN")]
    for name, table in tables.items():
        total = frame[frame["scenario"] == name].groupby("date")["mean"].sum()
        np.testing.assert_allclose(table.sum(axis=1), total, atol=1e-12)
    assert "april_licence" in table.columns
    assert OTHER in table.columns and "added trade cost" not in table.columns


def test_scenarios_keep_their_colours(saved: Saved, drawn: dict[str, Figure]) -> None:
    assert [saved.colour(name) for name in SCENARIOS] == list(SCENARIO_COLOURS[: len(SCENARIOS)])
    expected = SCENARIO_COLOURS[2]
    panel = next(axes for axes in drawn["price"].axes if "never" in axes.get_title(loc="left"))
    assert expected in {line.get_color() for line in panel.get_lines()}


def test_effect_draws_the_paired_difference_and_its_interval(saved: Saved) -> None:
    figure = draw_effect(saved, "china_controls")
    c = saved.comparison
    row = c[
        (c["reference"] == "china_controls") & (c["scenario"] == "framework") & (c["material"] == "dytb_oxide")
        & (c["country"] == "JPN") & (c["metric"] == "procurement_cost_usd") & (c["sector"] == "all")
    ].iloc[0]  # fmt: skip
    panel = figure.axes[2]
    ends = [segment[:, 0] for bars in panel.collections for segment in bars.get_segments()]
    assert any(np.allclose(end, [row["ci_low"] / 1e6, row["ci_high"] / 1e6]) for end in ends)
    assert SCENARIOS["china_controls"][0] in words(figure)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([0.0] * 4, "0 %"),
        ([1.0], "100 %"),
        ([0.0] * 999 + [1.0], "<1 %"),
        ([1.0] * 999 + [0.0], ">99 %"),
        ([0, 3], "50 %"),
    ],
)
def test_share_of_runs_is_never_rounded_to_none_or_all(values: list[float], said: str) -> None:
    assert share_of_runs(np.array(values)) == said


# -- marks ----------------------------------------------------------------------------------------------


def test_events_of_one_month_share_a_letter_in_all_scenarios(saved: Saved) -> None:
    found = marks(saved, "magnets")
    april = pd.Timestamp("2025-04-04")
    assert {dict(rows)[april] for rows in found.fixed.values()} == {"A"}
    assert "baseline" not in found.fixed
    assert found.notes[0] == "A  April 2025. In force 4 Apr: Licences for Dy, Tb and magnets"


def test_an_end_without_a_beginning_is_called_a_withdrawal(saved: Saved) -> None:
    assert any("Withdrawn 7 Nov: October tightening" in note for note in marks(saved, "magnets").notes)


def test_events_whose_date_differs_are_triangles_and_rare_ones_left_out(saved: Saved) -> None:
    found = marks(saved, "magnets")
    assert found.spread["framework"] == [pd.Timestamp("2027-06-01"), pd.Timestamp("2028-03-01")]
    assert found.notes[-1].startswith("▲  first delivery and first output")


def test_only_measures_on_the_material_are_marked(saved: Saved) -> None:
    oxide, magnets = (" ".join(marks(saved, name).notes) for name in ("dytb_oxide", "magnets"))
    assert "USA Rare Earth, Stillwater" in magnets
    assert "USA Rare Earth, Stillwater" not in oxide


@pytest.mark.parametrize(
    ("raw", "acts"),
    [
        ({"material": "magnets"}, True),
        ({"material": ["ore", "magnets"]}, True),
        ({"material": "ore"}, False),
        ({"process": "magnet_making"}, True),
        ({"process": "mining"}, False),
        ({"stockpile": "reserve"}, False),
        ({"stockpile": "unknown"}, True),
        ({}, True),
    ],
)
def test_a_policy_concerns_the_materials_its_entry_names(raw: dict[str, object], acts: bool) -> None:
    world = {
        "processes": {"magnet_making": {"outputs": {"magnets": 1}}, "mining": {"outputs": {"ore": 1}}},
        "stockpiles": {"reserve": {"material": "ore"}},
    }
    resolved = {"scenarios": {"s": {"world": world, "policies": {"p": raw}}}}
    assert concerns(resolved, "s", "p", "magnets") is acts


def events(*rows: tuple[str, str, str, str]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["scenario", "title", "event", "p50"])
    return frame.assign(p50=pd.to_datetime(frame["p50"]))


def test_many_measures_of_one_date_are_counted() -> None:
    frame = events(*[("s", title, "in force", "2026-04-28") for title in "abcde"])
    assert _what(frame) == "In force 28 Apr: a; b; 3 more"


def test_what_differs_between_scenarios_is_said_with_or() -> None:
    frame = events(("s", "a", "withdrawn", "2025-11-07"), ("t", "a", "in force", "2025-11-08"))
    assert _what(frame) == "Withdrawn 7 Nov, or in force 8 Nov: a"
    assert _what(frame.assign(scenario="s")) == "Withdrawn 7 Nov, in force 8 Nov: a"


@pytest.mark.parametrize(("letters", "text"), [("C", "C"), ("CD", "CD"), ("CDE", "C-E"), ("CEF", "CEF")])
def test_labels_that_would_touch_are_written_together(letters: str, text: str) -> None:
    assert Label(0.0, 1.0, letters).text == text


def test_scenarios_that_add_to_a_reference_stand_apart(saved: Saved) -> None:
    assert [name for name in SCENARIOS if saved.builds_on(name, "china_controls")] == list(SCENARIOS)[3:]
    text = words(draw_effect(saved, "china_controls"))
    assert "measures added to" in text and "other scenarios" in text


# -- timeline -------------------------------------------------------------------------------------------


def test_what_is_the_same_in_several_scenarios_is_one_row(saved: Saved) -> None:
    found = histories(saved.results.timeline, saved.resolved["scenarios"])
    april = [row for row in found if row.policy == "april_licence"]
    assert [row.scenarios for row in april] == [tuple(SCENARIOS)[1:]]
    october = [row for row in found if row.policy == "october_tightening"]
    assert [row.scenarios for row in october] == [("controls_suspended",), tuple(SCENARIOS)[2:]]
    assert "never" not in {event.name for row in found for event in row.events}


def test_events_keep_their_range_and_share() -> None:
    rows = [
        ("s", "p", "A plant", "first output", "2027-01-01", "2027-06-01", "2028-02-01", 0.7),
        ("s", "p", "A plant", "announced", "2025-10-28", "2025-10-28", "2025-10-28", 1.0),
    ]
    frame = pd.DataFrame(rows, columns=["scenario", "policy", "title", "event", "p05", "p50", "p95", "share"])
    (found,) = histories(frame, {"s": {"policies": {"p": {"type": "project_of_interest"}}}})
    assert [event.name for event in found.events] == ["announced", "first output"]
    assert found.events[1].when == "2027-06-01 (2027-01-01 to 2028-02-01)" and found.events[1].of_runs == "70 %"
    assert found.events[0].when == "2025-10-28" and found.type == "project_of_interest"


@pytest.mark.parametrize(("share", "said"), [(1.0, "100 %"), (0.999, "99 %"), (0.001, "<1 %"), (0.5, "50 %")])
def test_the_share_of_an_event_is_never_rounded_to_none_or_all(share: float, said: str) -> None:
    day = pd.Timestamp(2025, 1, 1)
    assert Event("ends", day, day, day, share).of_runs == said


def test_timeline_draws_bars_from_announcement_to_force_and_the_range_of_dates(saved: Saved) -> None:
    figure = draw_timeline(saved)
    axes = figure.axes[0]
    bars = [(bar.get_x(), bar.get_x() + bar.get_width(), bar.get_alpha()) for bar in axes.patches if bar.get_alpha()]
    announced, start = (day_number(pd.Timestamp(day)) for day in ("2025-10-09", "2025-12-01"))
    assert (announced, start, 0.28) in bars and any(bar[0] == start and bar[2] == 0.85 for bar in bars)
    ends = [day_number(pd.Timestamp(day)) for day in ("2027-01-01", "2028-02-01")]
    assert any(list(line.get_xdata()) == ends for line in axes.get_lines())
    text = words(figure)
    for said in ("first output: 80 %", "first output: 1 %", "withdrawn before it began", *POLICIES.values()):
        assert said in text, said
    assert "5 The framework, with first end products within six months (counterfactual)" in text


def test_a_run_without_measures_has_no_timeline(tmp_path: Path) -> None:
    results = write_results(tmp_path / "results", scenarios=1, weeks=20, runs=16)
    assert "policy_timeline" not in figures(Saved(results))


# -- small parts ----------------------------------------------------------------------------------------


def test_words() -> None:
    assert in_words("china_controls") == "China controls"
    assert [listed(names) for names in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]


def test_material_titles_keep_their_capitals_inside_a_sentence(saved: Saved) -> None:
    assert saved.of_material("dytb_oxide") == "dysprosium and terbium oxide"
    assert saved.of_material("magnets") == "sintered NdFeB magnets"


def test_notes_fill_columns_in_order_and_lose_nothing() -> None:
    notes = [f"{i}  note number {i} " + "word " * (3 * i) for i in range(1, 10)]
    columns = note_columns(notes, 14.0)
    assert 1 < len(columns) <= 3
    assert " ".join(" ".join(chain(*columns)).split()) == " ".join(" ".join(notes).split())


@pytest.mark.parametrize("colour", SCENARIO_COLOURS)
def test_titles_stand_out_from_white(colour: str) -> None:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(dark(colour))]
    luminance = float(np.dot(linear, (0.2126, 0.7152, 0.0722)))
    assert 1.05 / (luminance + 0.05) >= 4.5  # WCAG 2, level AA


# -- files ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three scenarios, one material in focus."""
    results = write_results(tmp_path_factory.mktemp("small"), scenarios=3, weeks=20, runs=16)
    manifest = json.loads((results / "manifest.json").read_text(encoding="utf-8"))
    manifest["resolved"]["experiment"]["focus"]["materials"] = ["magnets"]
    (results / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return results


def test_draw_all_writes_png_and_svg_the_same_each_time(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sim.plots.style.DPI", 50)
    paths = draw_all(small)
    names = {path.stem for path in paths}
    assert names == {
        "price_magnets", "shortage_days", "policy_effect_against_baseline", "policy_effect_against_china_controls",
        "days_of_cover_magnets", "price_attribution_magnets_JPN", "policy_timeline",
    }  # fmt: skip
    there = {path.name for path in (small / "figures").iterdir()}
    assert there == {f"{name}.{ending}" for name in names for ending in ("png", "svg")}
    for path in paths:
        if path.suffix == ".png":
            assert path.read_bytes()[:4] == b"\x89PNG"
        else:
            assert ElementTree.parse(path).getroot().tag.endswith("svg")
    with rc_context(RC):
        again = save(draw_shortage(Saved(small)), tmp_path, "shortage_days")
    assert [p.read_bytes() for p in again] == [(small / "figures" / p.name).read_bytes() for p in again]


def test_one_scenario_alone_has_no_effects_but_all_else(tmp_path: Path) -> None:
    saved = Saved(write_results(tmp_path / "results", scenarios=1, weeks=20, runs=16))
    names = set(figures(saved))
    assert not any(name.startswith("policy_effect") for name in names)
    assert {"price_magnets", "shortage_days", "days_of_cover_magnets", "price_attribution_magnets_JPN"} <= names
    for figure in (draw_price(saved, "magnets"), draw_shortage(saved), draw_attribution(saved, "magnets", "JPN")):
        assert "No controls" in words(figure)


@pytest.mark.parametrize("name", ["manifest.json", "series.parquet", "timeline.csv", "replications.parquet"])
def test_a_missing_table_is_named(small: Path, tmp_path: Path, name: str) -> None:
    copy = shutil.copytree(small, tmp_path / "copy", ignore=shutil.ignore_patterns("figures", name))
    with pytest.raises(ResultsError, match=name):
        for draw in figures(Saved(copy)).values():
            draw()
