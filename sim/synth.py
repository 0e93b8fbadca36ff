"""Makes synthetic worlds of any size: chains of materials whose flows balance by construction.

Decides who sells how much to whom in a world that never was, and writes it as the files of an ordinary one. Trade
is drawn first, downstream to upstream; throughputs and shares of purchases are then read off the flows, so that
supply meets demand at every stage and balancing has nothing to move. Numbers carry no ranges: a drawn range would
change the margins. Each buyer has about ``degree`` suppliers, so lanes grow in proportion to facilities.
"""

from __future__ import annotations

import itertools
import shutil
import string
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ruamel.yaml import YAML

from sim.draws import Draws
from sim.errors import ConfigError, Problem

Array = NDArray[np.float64]
Index = NDArray[np.int64]

STAGES = ("ore", "refined", "product")
"""What a chain is made of, upstream first."""

PLANTS = {"ore": "mine", "refined": "refinery", "product": "works"}
MOST_COUNTRIES, FEWEST_COUNTRIES, REGIONS = 40, 3, 4
SIZE_SPREAD = 1.0
"""Standard deviation of the log of a facility's, and a country's, attraction."""
HOME = 3.0
"""Odds of a supplier at home over one abroad of the same size."""

SYNTHETIC = {"source": "assumption", "note": "synthetic"}

BEHAVIOUR = {
    "theta": 0.15, "phi_s": 0.3, "phi_b": 0.75, "eps": 0.1, "eps_L": 0.35, "tau_L": "430 d", "T_b": "30 d",
    "T_s": "60 d", "eps_s": 0.15, "news_half_life": "100 d", "precaution": 1, "precaution_days": "130 d",
    "gamma": 1.5, "tau_K": "700 d", "tau_0": "1500 d", "smoothing": "45 d", "urgency_smoothing": "60 d", "kappa": 4,
    "v_max": 3.4012, "pass_on": 0, "demand_noise": 0.07, "demand_noise_days": "60 d", "price_noise": 0.3,
    "price_noise_days": "260 d", "utilisation": 0.85, "shortage_tolerance": 0.05, "class_shares": [0.2, 0.5, 0.3],
    "class_covers": [0.33, 0.88, 1.65],
}  # fmt: skip
"""Central values as of real worlds, without their ranges."""


@dataclass(frozen=True)
class Stage:
    """One material of a chain with its makers and the trade in it.

    Attributes
    ----------
    material, process : str
    makers, countries : list of str
        Facilities, and where each stands.
    throughput : (maker,) float, t/d
    buyers, places : list of str
        Countries or facilities, and where each stands.
    lane_buyer, lane_maker : (lane,) int
    share : (lane,) float
        Of the maker in the buyer's purchases.
    need : (buyer,) float, t/d
    """

    material: str
    process: str
    makers: list[str]
    countries: list[str]
    throughput: Array
    buyers: list[str]
    places: list[str]
    lane_buyer: Index
    lane_maker: Index
    share: Array
    need: Array

    @property
    def flow(self) -> Array:
        """(lane,) float, t/d."""
        return self.share * self.need[self.lane_buyer]


class Synthesis:
    """A synthetic world while it is drawn.

    Parameters
    ----------
    facilities, materials, degree, seed : int
        As of `write_world`; checked there.

    Attributes
    ----------
    chains : list of list of Stage
        Upstream first.
    """

    def __init__(self, facilities: int, materials: int, degree: int, seed: int) -> None:
        self.degree, self.seed = degree, seed
        self.draws = Draws(seed, 0, 1)
        count = min(MOST_COUNTRIES, max(FEWEST_COUNTRIES, facilities // 3))
        letters = string.ascii_uppercase
        # Codes that ISO 3166 leaves to its users: XAA to XZZ.
        self.countries = [f"X{letters[i // 26]}{letters[i % 26]}" for i in range(count)]
        self.weight = self._attraction("countries", count)
        each, more = divmod(facilities, materials)
        sizes = [each + (m < more) for m in range(materials)]
        groups = [sizes[first : first + len(STAGES)] for first in range(0, materials, len(STAGES))]
        self.recipes = [self._recipe(number) for number in range(1, len(groups) + 1)]
        self.chains = [self._chain(number, group) for number, group in enumerate(groups, start=1)]

    def _generator(self, purpose: str) -> Any:
        return self.draws.stream("synthetic world", purpose)

    def _attraction(self, purpose: str, count: int) -> Array:
        return np.exp(SIZE_SPREAD * self._generator(f"{purpose}, attraction").standard_normal(count))

    def _recipe(self, number: int) -> dict[str, float]:
        """Return what the plants of a chain take in per unit, and what all of it is worth."""
        drawn = self._generator(f"chain {number}, recipe").random(5)
        amount, part = 1.05 + 0.25 * drawn[0], 0.2 + 0.8 * drawn[1]
        price = 5_000.0 * 20.0 ** drawn[2]
        chi = 0.4 + 0.3 * drawn[3:]
        refined = price * amount / chi[0]
        named = {
            "refined": amount, "product": part, "refined_share": chi[0], "product_share": chi[1],
            "ore_price": price, "refined_price": refined, "product_price": refined * part / chi[1],
        }  # fmt: skip
        return {key: float(f"{value:.3g}") for key, value in named.items()}

    def _chain(self, number: int, sizes: list[int]) -> list[Stage]:
        """Draw a chain from its users up to its mines."""
        world = 1_000.0 * self._attraction(f"chain {number}, use", 1)[0]
        split = self.weight * self._attraction(f"chain {number}, users", len(self.countries))
        buyers, places = self.countries, self.countries
        need = np.array([float(f"{use:.6g}") for use in world * split / split.sum()])
        stages: list[Stage] = []
        for name, count in reversed(list(zip(STAGES, sizes, strict=False))):
            stage = self._stage(name, number, count, buyers, places, need)
            stages.insert(0, stage)
            buyers, places = stage.makers, stage.countries
            need = stage.throughput * self.recipes[number - 1].get(name, 1.0)
        return stages

    def _stage(self, name: str, number: int, count: int, buyers: list[str], places: list[str], need: Array) -> Stage:
        """Draw the makers of one material and who buys from them."""
        material = f"{name}_{number}"
        home = self._generator(f"{material}, places").choice(
            len(self.countries), size=count, p=self.weight / self.weight.sum()
        )
        countries = [self.countries[i] for i in home]
        size = self._attraction(material, count)
        buyer, maker = self._lanes(material, size, np.array(countries), np.array(places))
        share = _shares(buyer, size[maker], len(buyers))
        throughput = np.bincount(maker, share * need[buyer], count).astype(np.float64)
        makers = [f"{PLANTS[name]}_{number}_{i}" for i in range(1, count + 1)]
        return Stage(
            material, f"making_{material}", makers, countries, throughput, buyers, places, buyer, maker, share, need
        )

    def _lanes(self, material: str, size: Array, makers: NDArray[np.str_], buyers: NDArray[np.str_]) -> Any:
        """Return (lane,) buyers and makers: some makers per buyer, larger and nearer ones rather; all sell."""
        generator = self._generator(f"{material}, trade")
        wanted = min(self.degree, size.size)
        chosen = []
        for place in buyers:
            # The smallest of exponential waiting times: a draw by weight, without replacement.
            wait = generator.standard_exponential(size.size) / (size * np.where(makers == place, HOME, 1.0))
            chosen.append(np.sort(np.argpartition(wait, wanted - 1)[:wanted]))
        left = np.setdiff1d(np.arange(size.size), np.concatenate(chosen))
        for place, maker in enumerate(left):
            at = place % len(chosen)
            chosen[at] = np.append(chosen[at], maker)
        return np.repeat(np.arange(buyers.size), [each.size for each in chosen]), np.concatenate(chosen)


def _shares(buyer: Index, weight: Array, buyers: int) -> Array:
    """Return each buyer's shares in millionths; the largest of them takes what rounding leaves."""
    share = weight / np.bincount(buyer, weight, buyers)[buyer]
    share = np.maximum(np.round(share, 6), 1e-6)
    for lanes in np.split(np.arange(buyer.size), np.cumsum(np.bincount(buyer, minlength=buyers))[:-1]):
        largest = lanes[np.argmax(share[lanes])]
        share[largest] = round(1.0 - (share[lanes].sum() - share[largest]), 6)
    return share


# -- files ----------------------------------------------------------------------------------------------


def files_of(world: Synthesis) -> dict[str, dict[str, Any]]:
    """Return what each file of a synthetic world holds, by its name below the directory."""
    regions = {f"region_{i + 1}": world.countries[i::REGIONS] for i in range(min(REGIONS, len(world.countries)))}
    scenarios = _scenarios(world)
    return {
        "configs/countries.yaml": {
            "countries": {code: f"Country {code}" for code in world.countries},
            "blocs": regions,
        },
        "configs/sources.yaml": {},
        "configs/behaviour/default.yaml": {**SYNTHETIC, **BEHAVIOUR},
        "configs/minerals/synthetic.yaml": _mineral(world, list(regions)),
        **{f"configs/scenarios/{name}.yaml": scenario for name, scenario in scenarios.items()},
        "experiments/synthetic.yaml": _experiment(world, list(scenarios)),
    }


def _mineral(world: Synthesis, regions: list[str]) -> dict[str, Any]:
    stages = list(itertools.chain.from_iterable(world.chains))
    consumers: dict[str, dict[str, Any]] = {country: {} for country in world.countries}
    for last in (chain[-1] for chain in world.chains):
        for country, use in zip(last.buyers, last.need.tolist(), strict=True):
            consumers[country][last.material] = {"use": f"{use!r} t/d", "cover": "60 d", "sectors": {"all_of_it": 1}}
            consumers[country][last.material]["cover_classes"] = False
    recipes = list(zip(world.chains, world.recipes, strict=True))
    return {
        "mineral": "synthetic",
        "title": "Synthetic chains",
        **SYNTHETIC,
        "materials": {
            stage.material: _material(stage, recipe[f"{name}_price"])
            for chain, recipe in recipes
            for name, stage in zip(STAGES, chain, strict=False)
        },
        "processes": {
            stage.process: _process(chain, place, recipe)
            for chain, recipe in recipes
            for place, stage in enumerate(chain)
        },
        "facilities": {name: record for stage in stages for name, record in _facilities(stage)},
        "consumers": consumers,
        "trade": {stage.material: {"home_preference": HOME, "sources": _sources(stage)} for stage in stages},
        "transit": {
            "sea": {"days": "40 d"},
            **{f"within_{name}": {"origin": name, "destination": name, "days": "15 d"} for name in regions},
        },
        "hazards": {
            "outages": {stage.process: {**_renewal(400, 30), "severity": 0.8} for stage in stages},
            "routes": {"strait": {"origin": regions[0], "destination": regions[1], **_renewal(1500, 20)}},
        },
        "demand": {"growth": {"title": "Steady growth", "years": {2025: 100, 2035: 130}}},
    }


def _renewal(up: int, down: int) -> dict[str, Any]:
    repair = {"dist": "lognorm", "mean": f"{down} d", "shape": {"s": 1.0}}
    return {"time_to_failure": {"mean": f"{up} d"}, "repair_time": repair}


def _material(stage: Stage, price: float) -> dict[str, Any]:
    title = stage.material.replace("_", " ").capitalize()
    return {"title": title, "basis": "t", "price": f"{price!r} USD/t", "supplier_cover": "30 d"}


def _process(chain: list[Stage], place: int, recipe: dict[str, float]) -> dict[str, Any]:
    material = chain[place].material
    record = {"title": f"Making of {material.replace('_', ' ')}", "unit": "t", "outputs": {material: 1}}
    if place == 0:
        return record
    name = STAGES[place]
    taken = {"amount": recipe[name], "value_share": recipe[f"{name}_share"], "thrift": 0, "cover": "45 d"}
    return {**record, "inputs": {chain[place - 1].material: taken}, "processing_time": "14 d"}


def _facilities(stage: Stage) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, country, made in zip(stage.makers, stage.countries, stage.throughput.tolist(), strict=True):
        title = name.replace("_", " ").capitalize()
        yield name, {"title": title, "country": country, "process": stage.process, "throughput": f"{made!r} t/d"}


def _sources(stage: Stage) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {name: {} for name in stage.buyers}
    for buyer, maker, share in zip(stage.lane_buyer, stage.lane_maker, stage.share.tolist(), strict=True):
        found[stage.buyers[buyer]][stage.makers[maker]] = share
    return found


def _largest_exporter(world: Synthesis) -> tuple[str, str] | None:
    """Return the country and the material whose exports are the largest part of their market; None without exports."""
    best, found = 0.0, None
    for stage in itertools.chain.from_iterable(world.chains):
        seller, taker = np.array(stage.countries)[stage.lane_maker], np.array(stage.places)[stage.lane_buyer]
        for country in world.countries:
            part = float(stage.flow[(seller == country) & (taker != country)].sum() / stage.throughput.sum())
            if part > best:
                best, found = part, (country, stage.material)
    return found


def _scenarios(world: Synthesis) -> dict[str, dict[str, Any]]:
    baseline = {"title": "Baseline", "question": "What happens if nothing changes?", "policies": {}}
    exporter = _largest_exporter(world)
    if exporter is None:
        return {"baseline": baseline}
    country, material = exporter
    ban = {"type": "export_ban", "title": "The ban", "from": country, "material": material}
    ban |= {"start": "2025-07-01", "duration": "180 d", **SYNTHETIC}
    question = f"What if {country} exports no {material.replace('_', ' ')} for 180 days?"
    changed = {"title": "Export ban", "question": question, "counterfactual": True, "policies": {"ban": ban}}
    return {"baseline": baseline, "export_ban": changed}


def _experiment(world: Synthesis, scenarios: list[str]) -> dict[str, Any]:
    exporter = _largest_exporter(world)
    looked_at = next(c for c in world.chains if exporter is None or exporter[1] in (stage.material for stage in c))
    largest = [world.countries[i] for i in np.argsort(-world.weight, kind="stable")[:3]]
    return {
        "title": "A synthetic world",
        "question": "What does a ban by the largest exporter do?",
        **SYNTHETIC,
        "world": ["synthetic"],
        "horizon": {"start": "2025-01-01", "end": "2026-12-31", "review": "7 d"},
        "demand": "growth",
        "replications": 64,
        "seed": world.seed,
        **({"disruption": "ban"} if "export_ban" in scenarios else {}),
        "references": ["baseline"],
        "scenarios": scenarios,
        "focus": {"countries": largest, "materials": [stage.material for stage in looked_at]},
    }


# -- writing --------------------------------------------------------------------------------------------


def write_world(directory: Path, facilities: int, materials: int, degree: int = 6, seed: int = 1) -> Path:
    """Write a synthetic world into a new directory and return its experiment.

    Nothing stands in the directory before all of it does.

    Parameters
    ----------
    directory : Path
        Not there yet, or empty.
    facilities : int
        Spread evenly over the materials, at least one each.
    materials : int
        In chains of ore, refined and product; the last chain may be shorter.
    degree : int
        Suppliers of each buyer; more where there would be suppliers left without one.
    seed : int
        The same arguments give the same files.

    Raises
    ------
    ConfigError
        If an argument is out of range, or the directory holds something or cannot be written.
    """
    _check(directory, facilities, materials, degree, seed)
    files = files_of(Synthesis(facilities, materials, degree, seed))
    new = directory.with_name(f".{directory.name}.{uuid.uuid4().hex[:8]}.new")
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        new.mkdir()
        for name, values in files.items():
            path = new / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("w", encoding="utf-8") as file:
                file.write(f"# Synthetic: {facilities} facilities, {materials} materials, {degree} suppliers a buyer, ")
                file.write(f"seed {seed}. No number describes a real place.\n")
                _yaml().dump(values, file)
        new.rename(directory)  # refused by the system if somebody has put something there
    except OSError as error:
        message = f"got '{directory}'. Cannot be written: {error.strerror or error}."
        raise ConfigError([Problem("out", message, "command line")]) from None
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return directory / "experiments" / "synthetic.yaml"


def _check(directory: Path, facilities: int, materials: int, degree: int, seed: int) -> None:
    problems = []
    if materials < 1:
        problems.append(Problem("materials", f"got '{materials}'. At least 1."))
    elif facilities < materials:
        problems.append(
            Problem("facilities", f"got '{facilities}'. At least one for each of {materials} materials; give more.")
        )
    if degree < 1:
        problems.append(Problem("degree", f"got '{degree}'. A buyer needs at least 1 supplier."))
    if seed < 0:
        problems.append(Problem("seed", f"got '{seed}'. At least 0."))
    if directory.exists() and not (directory.is_dir() and not any(directory.iterdir())):
        problems.append(Problem("out", f"got '{directory}'. Holds something already; name a new directory."))
    if problems:
        raise ConfigError(Problem(p.address, p.message, "command line") for p in problems)


def _yaml() -> YAML:
    """Return a writer that keeps the order of keys and puts the innermost mappings on one line."""
    yaml = YAML(typ="safe", pure=True)
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # order is meaning: upstream first
    yaml.default_flow_style = None
    yaml.width = 100_000  # a key and its value must stay on one line
    return yaml
