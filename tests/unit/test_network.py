"""Rows, lanes and selectors of a world (sim.network), and limits on lanes (sim.gates)."""

from __future__ import annotations

import numpy as np
import pytest

from sim.blueprint import Blueprint
from sim.config import schema
from sim.engine import lay_out
from sim.gates import CapBook
from sim.network import Network
from tests.probe import tiny_case
from tests.worlds import TIN

PILE = """\
stockpiles:
  reserve: {title: The reserve, country: JPN, material: metal, holding: 30 d}
"""


@pytest.fixture(scope="module")
def network() -> Network:
    return Network(Blueprint(tiny_case(files={"configs/minerals/tin.yaml": TIN + PILE}).world))


@pytest.fixture(scope="module")
def split() -> Network:
    text = TIN.replace("sectors: {solder: 60 %}, cover_classes: false", "sectors: {solder: 60 %}")
    return Network(Blueprint(tiny_case(files={"configs/minerals/tin.yaml": text}).world))


def names(network: Network, lanes: np.ndarray) -> list[tuple[str, str]]:
    return [
        (network.suppliers[network.lane_supplier[i]].owner, network.buyers[network.lane_buyer[i]].owner) for i in lanes
    ]


def test_rows_are_sorted_by_material_and_lanes_by_buyer(network: Network) -> None:
    assert [row.owner for row in network.suppliers] == ["mine", "smelter", "reserve"]
    assert [(row.owner, row.kind) for row in network.buyers if row.kind != "stockpile"] == [
        ("smelter", "processor"), ("JPN", "consumer"), ("USA", "consumer"),
    ]  # fmt: skip
    assert np.all(np.diff(network.lane_buyer) >= 0)
    for rows in (network.supplier_material, network.buyer_material):
        assert np.all(np.diff(rows) >= 0)
    for buyer in range(len(network.buyers)):
        lanes = slice(network.lane_ptr[buyer], network.lane_ptr[buyer + 1])
        assert np.all(network.lane_buyer[lanes] == buyer)
    assert np.all(network.supplier_material[network.lane_supplier] == network.buyer_material[network.lane_buyer])


def test_cover_classes_are_rows_of_their_own(split: Network) -> None:
    rows = [row for row in split.buyers if row.owner == "USA"]
    assert [(row.cover_class, row.classes) for row in rows] == [(0, 3), (1, 3), (2, 3)]
    assert split.groups == (("ore", "MYS"), ("metal", "JPN"), ("metal", "USA"))
    assert list(split.buyer_group) == [0, 1, 2, 2, 2]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"materials": ["ore"]}, [("mine", "smelter")]),
        ({"materials": ["metal"], "origin": ["smelter"]}, [("smelter", "JPN"), ("smelter", "USA")]),
        ({"origin": ["MYS"], "destination": ["allies"]}, [("smelter", "JPN"), ("smelter", "USA")]),
        ({"origin": ["CHN"], "destination": ["JPN"]}, []),
        ({"destination": ["smelter"]}, [("mine", "smelter")]),
    ],
)
def test_lanes_are_found_by_material_country_bloc_and_facility(
    network: Network, query: dict[str, list[str]], found: list[tuple[str, str]]
) -> None:
    kept = [pair for pair in names(network, network.lanes(**query)) if "reserve" not in pair]
    assert kept == found


def test_trade_at_home_is_not_abroad() -> None:
    text = TIN.replace("country: MYS", "country: CHN")
    world = Network(Blueprint(tiny_case(files={"configs/minerals/tin.yaml": text}).world))
    assert world.lanes(["ore"], ["CHN"]).size == 1
    assert world.lanes(["ore"], ["CHN"], abroad=True).size == 0


def test_a_facility_is_added_once(network: Network) -> None:
    blueprint = Blueprint(network.world)
    with pytest.raises(ValueError, match="facility 'mine' exists already"):
        blueprint.add_facility("mine", network.world.facilities["mine"])


def test_a_later_plant_trades_with_its_partners_only() -> None:
    later = (
        "  later: {title: Later, country: JPN, process: smelting, throughput: 2 kt/yr, opens: 2025-06-01, ramp: 30 d,"
        " suppliers: {ore: {mine: 1}}, customers: {metal: {JPN: 1}}}\nconsumers:\n"
    )
    case = tiny_case(files={"configs/minerals/tin.yaml": TIN.replace("consumers:\n", later)})
    world = Network(Blueprint(case.world))
    assert names(world, world.lanes(origin=["later"])) == [("later", "JPN")]
    assert names(world, world.lanes(destination=["later"])) == [("mine", "later")]


# -- caps -------------------------------------------------------------------------------------------------


def test_a_licence_has_a_row_per_buyer_and_a_shared_cap_one(network: Network) -> None:
    book = CapBook(network)
    lanes = network.lanes(["metal"], ["MYS"], ["allies"])
    licence, quota = book.per_buyer(lanes), book.shared(lanes)
    gates = book.freeze()
    assert (len(gates.licences), len(gates.gates)) == (2, 1)
    assert [group.size for group in licence.groups] == [1, 1]
    assert gates.rows(licence)[0].tolist() == [0, 1]
    assert gates.rows(quota)[1].tolist() == [0]


def test_two_policies_on_the_same_lanes_share_one_constraint(network: Network) -> None:
    book = CapBook(network)
    lanes = network.lanes(["metal"], ["MYS"])
    book.per_buyer(lanes)
    book.per_buyer(lanes)
    assert len(book.freeze().licences) == 2


def test_overlapping_limits_on_one_buyer_become_gates() -> None:
    """A buyer's lane can pass one licence; a second, wider or narrower limit has a row of its own."""
    text = TIN.replace(
        "  mine: {title: The mine, country: CHN, process: mining, throughput: 10 kt/yr}\n",
        "  mine: {title: The mine, country: CHN, process: mining, throughput: 7 kt/yr}\n"
        "  other: {title: The other, country: USA, process: mining, throughput: 3 kt/yr}\n",
    )
    network = Network(Blueprint(tiny_case(files={"configs/minerals/tin.yaml": text}).world))
    book = CapBook(network)
    book.per_buyer(network.lanes(["ore"]))
    narrow = book.per_buyer(network.lanes(["ore"], ["CHN"]))
    gates = book.freeze()
    assert (len(gates.licences), len(gates.gates)) == (1, 1)
    licence, gate = gates.rows(narrow)
    assert (licence[0], gate[0]) == (-1, 0)


def test_one_cap_cannot_span_materials(network: Network) -> None:
    with pytest.raises(ValueError, match="several materials"):
        CapBook(network).shared(network.lanes())


def test_policies_of_a_case_ask_for_their_caps() -> None:
    ban = {"type": "export_ban", "from": "MYS", "material": "metal", "start": "2025-06-01", "source": "assumption"}
    _, gates, caps = lay_out(tiny_case(policies={"ban": ban}))
    assert len(gates.licences) == 2
    assert list(caps) == ["ban"]
    assert isinstance(tiny_case(policies={"ban": ban}).policies["ban"].start, schema.Number)
