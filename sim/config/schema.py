"""Frozen records of a configuration: every field with its unit and meaning; unknown keys are refused.

Decides what may stand in a file. Leaves reading and merging to `load`, rules that span several
records to `check`, and policies to the policy classes, which validate themselves with the same
`Section` base.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.fields import FieldInfo

from sim.errors import did_you_mean
from sim.units import read_quantity

SupplyGrowth = Literal["matched", "announced"]

Distribution = Literal["triangular", "uniform", "loguniform"]

NUMBER_KEYS = ("value", "low", "high", "dist", "source", "year", "note")
"""What a number written as a mapping may hold."""


@dataclass(frozen=True)
class Number:
    """One number of a configuration: value, range, unit and source.

    Attributes
    ----------
    value : float
        Central value in the base unit of its dimension.
    low, high : float or None
        Range; where given, the number is drawn once per replication.
    dist : str
        Shape of the range: ``triangular`` (mode at the value), ``uniform`` or ``loguniform``.
    dimension : str
        Dimension as in `sim.units.DIMENSIONS`.
    source : str or None
        Key of ``configs/sources.yaml`` or ``assumption``; inherited from the enclosing section.
    year : int or str or None
        Year the figure is for.
    note : str or None
        What to know about it.
    address : str
        Dotted address in the resolved configuration; keys its random draw.
    """

    value: float
    low: float | None = None
    high: float | None = None
    dist: Distribution = "triangular"
    dimension: str = "1"
    source: str | None = field(default=None, compare=False)
    year: int | str | None = field(default=None, compare=False)
    note: str | None = field(default=None, compare=False)
    address: str = field(default="", compare=False)

    @property
    def uncertain(self) -> bool:
        """Whether the number is drawn rather than fixed."""
        return self.low is not None and self.high is not None and self.low < self.high


def _read_number(raw: object, dimension: str) -> Number:
    """Read a scalar or a ``{value, low, high, dist, source, year, note}`` mapping."""
    if isinstance(raw, Number):
        return raw
    if not isinstance(raw, Mapping):
        return Number(read_quantity(raw, dimension), dimension=dimension)
    _check_number_keys(raw)
    value = read_quantity(raw["value"], dimension)
    low = read_quantity(raw["low"], dimension) if "low" in raw else None
    high = read_quantity(raw["high"], dimension) if "high" in raw else None
    dist = raw.get("dist", "triangular")
    if low is not None and high is not None and not low <= value <= high:
        raise ValueError(f"got value '{raw['value']}' outside its range '{raw['low']}' to '{raw['high']}'.")
    if dist not in ("triangular", "uniform", "loguniform"):
        allowed = ("triangular", "uniform", "loguniform")
        raise ValueError(f"got dist '{dist}'. Allowed are {', '.join(allowed)}.{did_you_mean(str(dist), allowed)}")
    if dist == "loguniform" and low is not None and low <= 0:
        raise ValueError("a loguniform range needs low above zero.")
    source, year, note = raw.get("source"), raw.get("year"), raw.get("note")
    return Number(value, low, high, dist, dimension, source=source, year=year, note=None if note is None else str(note))


def _check_number_keys(raw: Mapping[str, Any]) -> None:
    unknown = [str(key) for key in raw if key not in NUMBER_KEYS]
    if unknown:
        hint = did_you_mean(unknown[0], NUMBER_KEYS)
        raise ValueError(f"unknown key '{unknown[0]}' in a number.{hint} Allowed are {', '.join(NUMBER_KEYS)}.")
    if "value" not in raw:
        raise ValueError("a number needs a 'value'.")
    if ("low" in raw) != ("high" in raw):
        raise ValueError("a range needs both 'low' and 'high'.")
    if not isinstance(raw.get("source"), str | None):
        raise ValueError(f"got source '{raw['source']}'. Write a key of configs/sources.yaml, or 'assumption'.")
    if not isinstance(raw.get("year"), int | str | None):
        raise ValueError(f"got year '{raw['year']}'. Write a year, such as 2024.")


def _bounds(number: Number, minimum: float | None, maximum: float | None) -> Number:
    lowest = number.value if number.low is None else number.low
    highest = number.value if number.high is None else number.high
    if minimum is not None and lowest < minimum:
        raise ValueError(f"got {lowest:g}, below the smallest allowed, {minimum:g}.")
    if maximum is not None and highest > maximum:
        raise ValueError(f"got {highest:g}, above the largest allowed, {maximum:g}.")
    return number


def reads(dimension: str, minimum: float | None = 0.0, maximum: float | None = None) -> BeforeValidator:
    """Return the validator of a `Number` of this dimension between two bounds (base units)."""
    return BeforeValidator(lambda raw: _bounds(_read_number(raw, dimension), minimum, maximum))


Days = Annotated[Number, reads("d")]
Ratio = Annotated[Number, reads("1", 0.0, 1.0)]
Positive = Annotated[Number, reads("1", 0.0)]
Real = Annotated[Number, reads("1", None)]
Tonnes = Annotated[Number, reads("t")]
Flow = Annotated[Number, reads("t/d")]
Price = Annotated[Number, reads("USD/t")]
Money = Annotated[Number, reads("USD")]
Date = Annotated[Number, reads("date", None)]


def _as_list(raw: object) -> object:
    return [raw] if isinstance(raw, str) else raw


Names = Annotated[tuple[str, ...], BeforeValidator(_as_list)]
"""One name or a list of names (countries, blocs, materials, facilities)."""


class Section(BaseModel):
    """Base of every record: frozen, unknown keys refused, with an optional source for all it holds."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    source: str | None = Field(None, description="source of every number in this section that names none itself")
    year: int | str | None = Field(None, description="year of those numbers")
    note: str | None = Field(None, description="what to know about this section")


def fields_of(section: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the fields of a section by the key a file uses for them."""
    return {info.alias or name: info for name, info in section.model_fields.items()}


def _parts(value: object) -> Iterator[tuple[str, Any]]:
    """Yield what a section, mapping or list holds, each with its part of the address."""
    if isinstance(value, BaseModel):
        for key, name in zip(fields_of(type(value)), type(value).model_fields, strict=True):
            yield key, getattr(value, name)
    elif isinstance(value, Mapping):
        yield from ((str(key), part) for key, part in value.items())
    elif isinstance(value, list | tuple):
        yield from ((str(place), part) for place, part in enumerate(value))


def iter_numbers(value: object, prefix: str = "") -> Iterator[Number]:
    """Yield every number a section holds, in the order of its fields, each with its address."""
    if isinstance(value, Number):
        yield value if value.address else replace(value, address=prefix)
        return
    for key, part in _parts(value):
        yield from iter_numbers(part, f"{prefix}.{key}" if prefix else key)


def stamp(
    value: Any,
    prefix: str = "",
    source: str | None = None,
    year: int | str | None = None,
    note: str | None = None,
) -> Any:
    """Return a value whose numbers know their address and the source they inherit.

    A number or section that names a source of its own inherits neither year nor note: those belong to
    the source of the section around it. Sections are changed in place, numbers are replaced.

    Parameters
    ----------
    value : Section, Number, mapping, tuple or anything else
    prefix : str
        Address of the value.
    source, year, note
        What the enclosing section says.
    """
    if isinstance(value, Number):
        inherited = value.source is None
        return replace(
            value,
            address=prefix,
            source=source if inherited else value.source,
            year=year if inherited and value.year is None else value.year,
            note=note if inherited and value.note is None else value.note,
        )
    if isinstance(value, Section):
        if value.source is not None:
            source, year, note = value.source, value.year, value.note
        else:
            year, note = (
                (year if value.year is None else value.year),
                (note if value.note is None else value.note),
            )
    parts = {key: stamp(part, f"{prefix}.{key}" if prefix else key, source, year, note) for key, part in _parts(value)}
    if isinstance(value, BaseModel):
        for part, name in zip(parts.values(), type(value).model_fields, strict=True):
            # Sections are frozen for everyone else; here nobody has seen them yet.
            object.__setattr__(value, name, part)
        return value
    if isinstance(value, Mapping):
        return dict(zip(value, parts.values(), strict=True))
    return type(value)(parts.values()) if type(value) in (list, tuple) else value


class Source(BaseModel):
    """Where numbers come from: one entry of ``configs/sources.yaml``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    citation: str = Field(description="full citation of the original publication")
    grade: Literal["official", "industry", "secondary"] = Field(description="who says so")
    year: int | str = Field(description="year of publication")
    licence: str | None = Field(None, description="terms of use, where known")


class Material(Section):
    """A material traded in one market."""

    title: str = Field(description="name for readers")
    basis: str = Field(description="what a unit means, for example t REO")
    unit: str = Field("t", description="what quantities are counted in, where not in tonnes: MWh of cells, motors")
    price: Price = Field(description="baseline delivered price")
    total: Flow | None = Field(None, description="world supply and demand at the start; None: what facilities give")
    supply_closed_by: str = Field(
        "scale", description="'scale', 'facility:NAME' or 'output:PROCESS' closes the supply side"
    )
    demand_closed_by: str = Field(
        "scale", description="'scale', 'facility:NAME' or 'input:PROCESS' closes the demand side"
    )
    units: dict[str, Positive] = Field(default_factory=dict, description="further mass units in tonnes of this basis")
    supplier_cover: Days = Field(description="output stock of suppliers, in days of sales")


class Input(Section):
    """What a process takes in of one material, per unit of its throughput."""

    amount: Positive | Literal["solved"] = Field(description="t per unit of throughput, or solved by the balance")
    value_share: Ratio = Field(description="chi: share of the input in the product's baseline value")
    thrift: Ratio = Field(description="how far the recipe gives way to price: 0 contained, 1 like a consumer")
    cover: Days = Field(description="input stock on hand, in days of use")
    cover_classes: bool = Field(False, description="whether plants differ in cover by the classes of `behaviour`")
    within_sectors: Names | None = Field(
        None, description="sectors of the country's consumer whose stated use this is part of; it comes off there"
    )


class Process(Section):
    """A way of making products from inputs (none for a mine), per unit of throughput."""

    title: str
    unit: str = Field(description="what one unit of throughput is, for example t of magnets")
    inputs: dict[str, Input] = Field(default_factory=dict)
    outputs: dict[str, Positive | Literal["solved", "remainder"]] = Field(
        default_factory=dict, description="t made per unit; one may be the remainder to 1"
    )
    processing_time: Days | None = Field(None, description="days in process, added to the lead time of inputs")
    host: str | None = Field(
        None, description="by-product of this host's output: throughput follows it whatever the price"
    )
    follows: str | None = Field(
        None, description="process of another file that is the host: where that is loaded, its ups and downs count"
    )
    final: str | None = Field(
        None, description="what it makes leaves the chain, by a plan that follows the demand paths of this mineral"
    )
    recycles: str | None = Field(
        None, description="material whose past use is its feed: where supply does not follow demand, it follows that"
    )
    lead_time: Days | None = Field(
        None, description="from the decision to first output of new capacity; from `behaviour.expansion` unless given"
    )
    under_way: Ratio | None = Field(
        None, description="capacity being built at the start, growth a year; from `behaviour.expansion` unless given"
    )


class Facility(Section):
    """A named site, or the rest of a country's output at one stage."""

    title: str
    country: str = Field(description="where it stands, ISO 3166-1 alpha-3 or a bloc of configs/countries.yaml")
    owner_country: str | None = Field(None, description="who owns it; the country where it stands unless given")
    reported_as: str | None = Field(
        None, description="key of `countries` under which what it buys is reported; its country unless given"
    )
    process: str
    throughput: Flow | None = Field(None, description="observed throughput; None: solved or from share")
    share: Ratio | None = Field(None, description="share of the material's total instead of a throughput")
    utilisation: Ratio | None = Field(
        None, description="throughput over what it can make when up; from `behaviour` unless given"
    )
    sites: Positive | None = Field(None, description="plants it stands for, which fail one by one; 1 unless given")
    opens: Date | None = Field(
        None, description="first output of a plant already decided; throughput is then its capacity"
    )
    ramp: Days | None = Field(None, description="from first output to full capacity")
    suppliers: dict[str, dict[str, Ratio]] = Field(
        default_factory=dict,
        description="for a plant that opens later: input -> {country or facility: share}",
    )
    customers: dict[str, dict[str, Ratio]] = Field(
        default_factory=dict,
        description="for a plant that opens later: product -> {country: share of its sales}",
    )


class Consumer(Section):
    """Use of one material in one country."""

    use: Flow = Field(description="use at the start, scaled to the material's total if that is given")
    cover: Days = Field(description="mean stock on hand, in days of use")
    sectors: dict[str, Ratio] = Field(description="shares of use; what they leave is 'other'")
    cover_classes: bool = Field(True, description="whether users differ in cover by the classes of `behaviour`")


class Stockpile(Section):
    """A government or commercial reserve."""

    title: str
    country: str
    material: str
    holding: Days | None = Field(None, description="stock held, in days of the country's use of the material")
    tonnes: Tonnes | None = Field(None, description="stock held, in tonnes, instead of days")


class TransitRule(Section):
    """Days between order and arrival on lanes it matches; the last rule that matches counts."""

    material: Names | None = None
    origin: Names | None = None
    destination: Names | None = None
    days: Days


class Trade(Section):
    """What is known of who buys from whom, as a prior for the balanced trade matrix."""

    home_preference: Positive = Field(description="weight of domestic over foreign supply where nothing is stated")
    sources: dict[str, dict[str, Ratio]] = Field(
        default_factory=dict,
        description="buyer country or facility -> {supplier country or facility: share of its purchases}",
    )


class Lifetime(Section):
    """A distribution in continuous time: ``scipy.stats`` name, mean and shape parameters."""

    dist: str = Field("expon", description="name of a continuous distribution of scipy.stats")
    mean: Days
    shape: dict[str, float] = Field(default_factory=dict, description="its shape parameters")


class Outage(Section):
    """Ordinary stops of a facility: an alternating renewal process."""

    time_to_failure: Lifetime
    repair_time: Lifetime
    severity: Ratio = Field(description="share of capacity lost while down")


class Shock(Section):
    """A shock that hits all facilities of some countries (or a process there) at once."""

    countries: Names
    processes: Names | None = None
    time_to_failure: Lifetime
    repair_time: Lifetime
    severity: Ratio


class RouteRisk(Section):
    """A closure that stops every lane between two sets of countries at once."""

    origin: Names
    destination: Names
    time_to_failure: Lifetime
    repair_time: Lifetime


class Hazards(Section):
    """Everything that fails by chance."""

    outages: dict[str, Outage] = Field(default_factory=dict, description="by process, or facility")
    shocks: dict[str, Shock] = Field(default_factory=dict)
    routes: dict[str, RouteRisk] = Field(default_factory=dict)


class DemandPath(Section):
    """World requirement by year, as an index; log-linear in between."""

    title: str
    years: dict[int, Positive] = Field(description="any unit: only ratios count")
    materials: dict[str, dict[int, Positive]] = Field(
        default_factory=dict, description="material of the mineral -> its own path, where it differs"
    )
    beside: dict[int, Positive] | None = Field(
        None, description="path of the uses that remain where plants take theirs `within_sectors`"
    )


class MineralFile(Section):
    """One file of ``configs/minerals``: a chain of materials with those who make and use them."""

    mineral: str = Field(description="key of the chain in demand paths")
    title: str = Field(description="name for readers")
    materials: dict[str, Material] = Field(description="upstream first")
    processes: dict[str, Process]
    facilities: dict[str, Facility]
    consumers: dict[str, dict[str, Consumer]] = Field(description="country -> material -> consumer")
    stockpiles: dict[str, Stockpile] = Field(default_factory=dict)
    trade: dict[str, Trade] = Field(description="by material")
    transit: dict[str, TransitRule]
    hazards: Hazards = Field(default_factory=Hazards)
    demand: dict[str, DemandPath] = Field(default_factory=dict, description="path name -> path")


class Expansion(Section):
    """How capacity grows where it does not follow demand by itself (``supply_growth: announced``)."""

    starts: Ratio = Field(description="g: share of capacity started a year for each unit of log price above the hurdle")
    hurdle: Positive = Field(description="c_h: log price above which building pays")
    memory: Days = Field(description="time over which investors smooth the price")
    plant_lead_time: Days = Field(description="from the decision to first output of a plant")
    mine_lead_time: Days = Field(description="from the decision to first output of a mine")
    under_way: Ratio = Field(description="capacity being built at the start, as growth a year for the lead time")
    host_growth: Ratio = Field(description="growth a year of by-products whose host is not simulated")
    scrap_age: Days = Field(description="time over which what recyclers get follows use")


class Behaviour(Section):
    """How buyers and sellers behave (docs/model.md, table of parameters)."""

    theta: Positive = Field(description="dispersion of trade: 0 one world price, large rigid contracts")
    phi_s: Positive = Field(description="log reserve price per log of supplier stock")
    phi_b: Positive = Field(description="log price per log of the inventory a buyer wants")
    eps: Positive = Field(description="short-run price elasticity of use")
    eps_L: Positive = Field(description="long-run elasticity gained by adaptation")
    tau_L: Days = Field(description="time constant of adaptation")
    T_b: Days = Field(description="time in which buyers close a stock gap")
    T_s: Days = Field(description="time in which suppliers close a stock gap")
    eps_s: Positive = Field(description="growth of wanted output under high prices, per log price")
    news_half_life: Days = Field(description="H: half-life of the precautionary motive")
    precaution: Positive = Field(description="weight of a change of the structural risk")
    precaution_days: Days = Field(description="P_h: extra cover wanted at full risk")
    gamma: Positive = Field(description="sellers' caution: log reserve price at full risk")
    tau_K: Days = Field(description="time in which relationships follow trade")
    tau_0: Days = Field(description="time in which relationships return to their baseline")
    smoothing: Days = Field(description="time constant of smoothed sales and prices")
    urgency_smoothing: Days = Field(description="time constant of urgency")
    kappa: Positive = Field(description="largest order, in multiples of requirement")
    v_max: Positive = Field(description="choke price, as log multiple of baseline")
    pass_on: Annotated[Number, reads("1", 0.0, 0.3)] = Field(
        description="part of its product's price a processor bids for inputs"
    )
    demand_noise: Positive = Field(description="standard deviation of the log requirement")
    demand_noise_days: Days = Field(description="its time constant")
    price_noise: Positive = Field(description="standard deviation of the market-wide log price noise")
    price_noise_days: Days = Field(description="its time constant")
    utilisation: Ratio = Field(description="throughput over what a plant can make when up, where a facility gives none")
    shortage_tolerance: Ratio = Field(
        description="share of wanted use that may be missing before a day counts as shortage"
    )
    class_shares: tuple[float, ...] = Field(description="cover classes: share of use of each")
    class_covers: tuple[float, ...] = Field(description="cover classes: cover of each over the mean")
    expansion: Expansion | None = Field(None, description="needed where supply_growth is 'announced'")


class World(Section):
    """Everything physical and behavioural of one world, resolved from its mineral files."""

    minerals: dict[str, tuple[str, ...]] = Field(description="mineral -> its materials, upstream first")
    materials: dict[str, Material]
    processes: dict[str, Process]
    facilities: dict[str, Facility]
    consumers: dict[str, dict[str, Consumer]] = Field(description="country -> material -> consumer")
    stockpiles: dict[str, Stockpile] = Field(default_factory=dict)
    trade: dict[str, Trade]
    transit: dict[str, TransitRule]
    hazards: Hazards = Field(default_factory=Hazards)
    demand: dict[str, dict[str, DemandPath]] = Field(description="path name -> mineral -> path")
    demand_path: str | None = Field(None, description="path of this scenario, if it is not that of the experiment")
    supply_growth: SupplyGrowth = "matched"
    behaviour: Behaviour
    countries: dict[str, str] = Field(description="code -> name")
    blocs: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    governance: dict[str, dict[str, Real]] = Field(default_factory=dict, description="indicator -> country -> score")


class Horizon(Section):
    """Calendar of a run."""

    start: dt.date
    end: dt.date = Field(description="last day simulated")
    review: Days = Field(description="D: days between reviews, a whole number")


class Switches(Section):
    """Parts of the model that a study may switch off, one by one."""

    noise: bool = True
    hazards: bool = True
    uncertainty: bool = Field(True, description="draw ranges; off: central values everywhere")


class Selection(Section):
    """Which projects are picked under a budget before a run, and by what measure."""

    budget: Money = Field(description="most that may be spent on candidates")
    beneficiaries: Names = Field(alias="for", description="countries or blocs whose supply gap counts")
    against: Names = Field(description="countries or blocs that goods should not come from, directly or upstream")
    by: dt.date | None = Field(None, description="until when tonnes count; the end of the horizon unless given")
    candidates: Names = Field(description="policies that are projects; those not picked are left out")
    public_only: bool = Field(True, description="whether the budget is of public money alone, or of all investment")
    materials: Names = Field((), description="where the gap is counted; in all that end users buy unless given")
    weigh: Literal["value", "tonnes", "need"] = Field(
        "value", description="tonnes of several materials add up by normal price, by weight, or as shares of each gap"
    )


class Experiment(Section):
    """A set of scenarios run on one world with one seed."""

    title: str
    question: str
    world: Names = Field(description="files of configs/minerals")
    companies: Names = Field((), description="files of configs/companies, laid over the world")
    behaviour: str = Field("default", description="file of configs/behaviour")
    horizon: Horizon
    demand: str = Field("flat", description="demand path, or 'flat'")
    supply_growth: SupplyGrowth = Field(
        "matched", description="capacity follows demand, or is what is announced and what prices let people build"
    )
    replications: int = Field(gt=0)
    seed: int = Field(ge=0)
    independent_of: str | None = Field(
        None, description="country whose share in the whole chain independent_share leaves out"
    )
    disruption: str | None = Field(
        None, description="policy from whose start and end survival and recovery are counted"
    )
    references: tuple[str, ...] = Field(description="every other scenario is compared with each of these, paired")
    scenarios: tuple[str, ...] = Field(min_length=1)
    focus: Focus
    switches: Switches = Field(default_factory=Switches)
    change: dict[str, Any] = Field(default_factory=dict, description="address: new value, for all scenarios")
    sweep: dict[str, list[Any]] = Field(default_factory=dict, description="address: values; one scenario per value")
    selection: Selection | None = Field(None, description="projects picked under a budget, before the run")


class Focus(Section):
    """What the answer and the figures look at first."""

    countries: tuple[str, ...]
    materials: tuple[str, ...] = Field(default=(), description="materials drawn first; all unless given")


class ScenarioFile(Section):
    """One world with its policies, stated as a difference from those it extends."""

    title: str
    question: str | None = None
    counterfactual: bool = Field(False, description="did not happen; said wherever the scenario is shown")
    extends: Names = ()
    change: dict[str, Any] = Field(default_factory=dict)
    policies: dict[str, dict[str, Any]] = Field(default_factory=dict)
    demand: str | None = Field(None, description="demand path, or 'flat'; that of the experiment unless given")
    supply_growth: SupplyGrowth | None = Field(None, description="that of the experiment unless given")
    selection: Selection | None = Field(None, description="projects picked under a budget, before the run")


Experiment.model_rebuild()
