"""The clearing against answers known in closed form."""

from dataclasses import replace

import numpy as np
import pytest

from tests.reference_market import V_MAX, Case, clear, make_case, make_topology, repeat

THETA = 0.15


def sole_supplier(share: float, eps: float, **columns: object) -> Case:
    """One supplier with a share of what its one buyer wants at the baseline price."""
    topology = make_topology(1, 1, [(0, 0)])
    return make_case(
        topology, THETA, weight=100.0, demand_flow=100.0, demand_elasticity=eps, available=100.0 * share,
        supplier_scale=100.0, **columns,
    )  # fmt: skip


@pytest.mark.parametrize("share", [0.9, 0.75, 0.5])
@pytest.mark.parametrize("eps", [0.25, 0.5, 1.0])
def test_scarce_sole_supplier(share: float, eps: float) -> None:
    """With D = q exp(-eps v) and supply x q, v = -ln(x)/eps; lam = v - theta ln x, from f = x q in (1)."""
    solution = clear(sole_supplier(share, eps), tolerance=1e-8)
    v = -np.log(share) / eps
    assert solution.log_price[0, 0] == pytest.approx(v, abs=1e-7)
    assert solution.delivered[0, 0] == pytest.approx(v, abs=1e-7)
    assert solution.shadow[0, 0] == pytest.approx(v - THETA * np.log(share), abs=1e-7)


def test_price_stops_at_the_choke_price() -> None:
    """-ln(0.5)/0.1 is above ln 30: the buyer gets the supply there is, at v_max."""
    solution = clear(sole_supplier(0.5, 0.1), tolerance=1e-8)
    assert solution.log_price[0, 0] == V_MAX
    assert solution.delivered[0, 0] == V_MAX
    assert solution.flow[0, 0] == pytest.approx(50.0, rel=1e-7)
    assert solution.shadow[0, 0] == pytest.approx(V_MAX - THETA * np.log(0.5), abs=1e-7)


@pytest.mark.parametrize("tariff", [0.1, 0.5, 2.0])
def test_tariff_between_two_countries(tariff: float) -> None:
    """An exporter sells X = q_h + q_f at home and abroad, where a tariff of z = ln(1 + t) is laid.

    With w_b = q_b, w_b exp((v_b - lam - z_b)/theta) = q_b exp(-eps v_b) gives
    v_b = (lam + z_b)/(1 + eps theta): the theta term is the tariff's part that rerouting absorbs.
    Flows are q_b exp(-k (lam + z_b)) with k = eps/(1 + eps theta); their sum is X where
    lam = ln((q_h + q_f exp(-k z))/X)/k.
    """
    eps, home, abroad = 0.4, 60.0, 40.0
    z = np.log1p(tariff)
    topology = make_topology(1, 2, [(0, 0), (1, 0)])
    case = make_case(
        topology, THETA, weight=[home, abroad], wedge=[0.0, z], demand_flow=[home, abroad],
        demand_elasticity=eps, available=home + abroad, supplier_scale=home + abroad, floor=-3.0,
    )  # fmt: skip
    solution = clear(case, tolerance=1e-8)
    k = eps / (1 + eps * THETA)
    lam = np.log((home + abroad * np.exp(-k * z)) / (home + abroad)) / k
    assert solution.shadow[0, 0] == pytest.approx(lam, abs=1e-7)
    np.testing.assert_allclose(solution.log_price[:, 0], (lam + np.array([0.0, z])) / (1 + eps * THETA), atol=1e-7)
    assert solution.log_price[0, 0] < 0 < solution.log_price[1, 0]


def test_tariff_on_one_of_two_suppliers() -> None:
    """With ample supply and fixed demand, v = -theta ln(a + (1 - a) exp(-z/theta))."""
    z = np.log(1.25)
    case = make_case(
        make_topology(2, 1, [(0, 0), (0, 1)]), THETA, weight=[70.0, 30.0], wedge=[0.0, z], demand_flow=100.0
    )
    v = -THETA * np.log(0.7 + 0.3 * np.exp(-z / THETA))
    assert clear(case).log_price[0, 0] == pytest.approx(v, abs=1e-10)


def nested_quotas(outer: float, inner: float) -> Case:
    """Three lanes of 40 from one seller; the outer quota holds all of them, the inner the last two."""
    topology = make_topology(1, 3, [(0, 0), (1, 0), (2, 0)], 2, [[0], [0, 1], [0, 1]])
    return make_case(
        topology, THETA, weight=40.0, demand_flow=40.0, demand_elasticity=0.5, gate_cap=[outer, inner],
        gate_scale=[120.0, 80.0],
    )  # fmt: skip


def test_only_the_tighter_of_nested_quotas_has_a_price() -> None:
    outer_binds = clear(nested_quotas(60.0, 70.0)).gate_shadow[:, 0]
    assert outer_binds[0] > 0.5
    assert outer_binds[1] == 0.0
    inner_binds = clear(nested_quotas(110.0, 30.0)).gate_shadow[:, 0]
    assert inner_binds[0] == 0.0
    assert inner_binds[1] > 0.5


@pytest.mark.parametrize("from_below", [True, False])
def test_coinciding_quotas_share_their_rent_equally(from_below: bool) -> None:
    """Whatever the market was like before."""
    topology = make_topology(1, 2, [(0, 0), (1, 0)], 2, [[0, 1], [0, 1]])
    case = make_case(
        topology, THETA, weight=50.0, demand_flow=50.0, demand_elasticity=0.5, gate_cap=[80.0, 80.0], gate_scale=100.0
    )
    before = clear(replace(case, gate_cap=np.array([[95.0], [60.0]]) if from_below else case.gate_cap * 0.5))
    solution = clear(case, tolerance=1e-8, start=before)
    total = -np.log(0.8) * (2.0 + THETA)
    np.testing.assert_allclose(solution.gate_shadow[:, 0], total / 2, atol=1e-4)
    assert solution.gate_shadow.sum() == pytest.approx(total, abs=1e-7)


def test_licence_stops_its_own_buyer_only() -> None:
    """One seller, two buyers with a licence each: A = D(v) gives v = -ln(A/q)/eps; nu = v - theta ln(A/w)."""
    topology = make_topology(1, 2, [(0, 0), (1, 0)], licences=[1, 1], lane_licence=[0, 1])
    case = make_case(
        topology, THETA, weight=50.0, demand_flow=50.0, demand_elasticity=0.5, licence_cap=[30.0, np.inf],
        licence_scale=50.0,
    )  # fmt: skip
    solution = clear(case)
    v = -np.log(0.6) / 0.5
    assert solution.log_price[:, 0] == pytest.approx([v, 0.0], abs=1e-9)
    assert solution.licence_shadow[:, 0] == pytest.approx([v - THETA * np.log(0.6), 0.0], abs=1e-9)
    assert solution.flow[:, 0] == pytest.approx([30.0, 50.0], rel=1e-9)
    assert solution.iterations[0, 0] == 0


def test_balanced_start_is_left_untouched() -> None:
    """Flows at baseline and stock to spare: every price stays exactly 0, without a Newton step."""
    rng = np.random.default_rng(1)
    topology = make_topology(6, 7, [(b, s) for b in range(7) for s in range(6)])
    weight = rng.lognormal(0, 2, 42)
    wanted, made = weight.reshape(7, 6).sum(axis=1), weight.reshape(7, 6).sum(axis=0)
    case = make_case(
        topology, THETA, weight=weight, demand_flow=wanted, demand_elasticity=0.1, demand_stock=4 * wanted,
        demand_stock_rate=1.33, demand_offset=-4 * wanted, demand_cap=4 * wanted, available=4 * made,
        supplier_scale=made,
    )  # fmt: skip
    solution = clear(repeat(case, 3))
    assert not solution.log_price.any()
    assert not solution.delivered.any()
    assert not solution.shadow.any()
    assert not solution.iterations.any()
    np.testing.assert_allclose(solution.flow, repeat(case, 3).weight, rtol=1e-14)


# ---- Markets with something missing


def two_by_two(**columns: object) -> Case:
    settings: dict[str, object] = {"weight": 50.0, "demand_flow": 100.0, "demand_elasticity": 0.5, "available": 150.0,
                                   "supplier_scale": 100.0}  # fmt: skip
    return make_case(make_topology(2, 2, [(0, 0), (0, 1), (1, 0), (1, 1)]), THETA, **(settings | columns))


def test_empty_supplier_gets_the_rent_that_would_tempt_a_buyer() -> None:
    solution = clear(two_by_two(available=[0.0, 100.0]))
    assert not solution.flow[[0, 2]].any()
    assert solution.shadow[0, 0] == pytest.approx(solution.log_price.max())
    assert solution.shadow[1, 0] > 0


def test_reopened_supplier_forgets_its_imputed_rent() -> None:
    shut, opened = two_by_two(available=[0.0, 100.0]), two_by_two()
    solution = clear(opened, start=clear(shut))
    np.testing.assert_allclose(solution.shadow, 0.0)
    np.testing.assert_allclose(solution.log_price, 0.0, atol=1e-9)


def test_ban_and_empty_seller_share_the_rent_of_a_lane() -> None:
    topology = make_topology(1, 1, [(0, 0)], 1, [[0]])
    case = make_case(topology, THETA, weight=1.0, demand_flow=1.0, available=0.0, gate_cap=0.0)
    solution = clear(case)
    assert solution.log_price[0, 0] == V_MAX
    assert solution.shadow[0, 0] == pytest.approx(V_MAX / 2)
    assert solution.gate_shadow[0, 0] == pytest.approx(V_MAX / 2)


def test_ban_is_priced_at_what_the_buyer_would_pay() -> None:
    """Buyer 1 turns to the other seller; the ban's rent is its price less the seller's reserve."""
    topology = make_topology(2, 2, [(0, 0), (0, 1), (1, 0), (1, 1)], 1, [[], [], [0], []])
    case = make_case(
        topology, THETA, weight=50.0, demand_flow=100.0, demand_elasticity=0.5, available=[300.0, 120.0],
        supplier_scale=100.0, floor=[0.1, 0.0], gate_cap=0.0, gate_scale=50.0,
    )  # fmt: skip
    solution = clear(case)
    assert solution.flow[2, 0] == 0.0
    assert solution.shadow[0, 0] == 0.1
    assert solution.gate_shadow[0, 0] == pytest.approx(solution.log_price[1, 0] - 0.1)


def test_buyer_without_lanes_stands_at_its_reservation_price() -> None:
    """The smallest v with D(v) = 0, or v_max, or 0 where nothing is wanted at any price.

    First buyer: 10 + 40 exp(-1.5 v) - 40 = 0 at v = ln(4/3)/1.5.
    """
    case = make_case(
        make_topology(1, 4, [(3, 0)]), THETA, demand_flow=[10.0, 10.0, 0.0, 10.0],
        demand_elasticity=[0.0, 0.1, 0.0, 0.0], demand_stock=[40.0, 0.0, 0.0, 0.0], demand_stock_rate=1.5,
        demand_offset=[-40.0, 0.0, 0.0, 0.0],
    )  # fmt: skip
    solution = clear(case)
    assert solution.log_price[:3, 0] == pytest.approx([np.log(4 / 3) / 1.5, V_MAX, 0.0], abs=1e-12)
    np.testing.assert_array_equal(solution.delivered[:3], solution.log_price[:3])


def test_buyer_who_wants_nothing_is_quoted_the_offer() -> None:
    """It buys nothing, and its price is theta ln 2 below the cheapest offer, not minus infinity."""
    case = two_by_two(floor=[0.4, 0.6])
    case.demand_flow[1] = 0.0
    solution = clear(case)
    assert not solution.flow[2:].any()
    assert solution.delivered[1, 0] == pytest.approx(0.4 - THETA * np.log(2.0))


def test_infinite_supply_stays_at_its_floor() -> None:
    solution = clear(two_by_two(available=np.inf, floor=[0.2, 0.2]))
    np.testing.assert_allclose(solution.shadow, 0.2)
    # v (1 + eps theta) = lam, as for the tariff
    np.testing.assert_allclose(solution.log_price, 0.2 / (1 + 0.5 * THETA), atol=1e-10)


def test_nothing_to_trade() -> None:
    for case in (two_by_two(weight=0.0), two_by_two(available=0.0), two_by_two(demand_flow=0.0),
                 two_by_two(supplier_scale=0.0, available=0.0)):  # fmt: skip
        solution = clear(case)
        assert not solution.flow.any()
        assert all(np.isfinite(part).all() for part in solution)
        assert solution.iterations[0, 0] >= 0


def test_markets_do_not_touch_each_other() -> None:
    """Two markets in one call give what each gives alone, bit for bit."""
    t = make_topology(1, 2, [(0, 0), (1, 0)], 1, [[0], []], [1, 0], [0, -1])
    one = make_case(
        t, THETA, weight=[50.0, 40.0], demand_flow=[50.0, 45.0], demand_elasticity=0.5, available=70.0,
        supplier_scale=90.0, gate_cap=30.0, gate_scale=50.0, licence_cap=28.0, licence_scale=50.0,
    )  # fmt: skip
    two = replace(one, available=one.available * 1.1)
    offsets = {
        name: np.concatenate([part, part[1:] + part[-1]])
        for name, part in t._asdict().items() if name.endswith("ptr")
    }  # fmt: skip
    both = replace(
        one,
        topology=t._replace(
            **offsets,
            lane_supplier=np.concatenate([t.lane_supplier, t.lane_supplier + 1]),
            lane_gate=np.concatenate([t.lane_gate, t.lane_gate + 1]),
            lane_licence=np.concatenate([t.lane_licence, np.where(t.lane_licence < 0, -1, t.lane_licence + 1)]),
        ),
        **{k: np.vstack([v, getattr(two, k)]) for k, v in vars(one).items() if isinstance(v, np.ndarray)},
    )  # fmt: skip
    for whole, first, second in zip(clear(both), clear(one), clear(two), strict=True):
        np.testing.assert_array_equal(whole, np.vstack([first, second]))
