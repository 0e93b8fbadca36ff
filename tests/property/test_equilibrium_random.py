"""The clearing on random markets: against a plain solver of the same convex problem, and symmetries."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference_market import (
    Case,
    Plain,
    clear,
    clear_by_newton,
    clear_if_quiet,
    kkt_residual,
    random_case,
    relabel,
    stack,
    stacked,
)

seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=100, deadline=None, derandomize=True)


def case_of(*seed: int, largest: int = 5) -> Case:
    return random_case(np.random.default_rng(seed), largest)


def scaled(case: Case, factor: float) -> Case:
    """Return the case with every quantity in other units."""
    rates = ("wedge", "theta", "floor", "demand_elasticity", "demand_stock_rate")
    quantities = [k for k, v in vars(case).items() if isinstance(v, np.ndarray) and k not in rates]
    return replace(case, **{k: getattr(case, k) * factor for k in quantities})


@pytest.mark.parametrize("batch", range(10))
def test_agrees_with_a_plain_solver_of_the_dual(batch: int) -> None:
    """1,000 markets: KKT conditions, value of the dual and prices against L-BFGS-B.

    The value is compared at 1e-6: where the dual is nearly flat, misses of 1e-5 are worth up to 6e-9 of it.
    """
    compared = 0
    for k in range(100):
        case = case_of(7, batch, k)
        plain, name = Plain(case), f"market {batch}, {k}"
        for tolerance in (1e-5, 1e-6):
            solution = clear(case, tolerance)
            assert solution.iterations[0, 0] >= 0, name
            assert all(np.isfinite(part).all() for part in solution), name
            assert kkt_residual(plain, solution) < tolerance, name
        value, _, price, projected = plain.solve()
        lam = np.where(plain.closed, plain.floor, stacked(solution))
        mine = plain.dual(lam, np.where(plain.served, solution.log_price[:, 0], 0.0))[0]
        assert mine <= value + 1e-9 * max(abs(value), plain.scale.max()), name
        if projected > 1e-6:  # the reference gave up
            continue
        compared += 1
        used = plain.lane_buyer[solution.flow[:, 0] > 0.01 * case.weight[:, 0]]
        np.testing.assert_allclose(solution.log_price[used, 0], price[used], atol=1e-3, err_msg=name)
    assert compared >= 95


@pytest.mark.parametrize("batch", range(4))
def test_larger_markets_always_converge(batch: int) -> None:
    for k in range(500):
        case = case_of(8, batch, k, largest=10)
        solution = clear(case)
        assert solution.iterations[0, 0] >= 0, (batch, k)
        assert kkt_residual(Plain(case), solution) < 1e-5, (batch, k)


@pytest.mark.parametrize("batch", range(4))
def test_quiet_markets_solve_to_the_same_as_newton(batch: int) -> None:
    """Prices, flows, rents of licences and of what is closed; half the markets have stock to spare."""
    quiet = 0
    for k in range(250):
        case = case_of(9, batch, k)
        case.gate_cap[:] = np.inf
        if k % 2:
            case.available[case.available > case.supplier_scale * 1e-6] *= 20.0
        mine, done = clear_if_quiet(case)
        if not done[0, 0]:
            continue
        quiet += 1
        newton = clear_by_newton(case, 1e-8)
        assert kkt_residual(Plain(case), mine) < 1e-8, k
        np.testing.assert_allclose(mine.delivered, newton.delivered, atol=1e-7, err_msg=str(k))
        np.testing.assert_allclose(mine.shadow, newton.shadow, atol=1e-7, err_msg=str(k))
        np.testing.assert_allclose(mine.licence_shadow, newton.licence_shadow, atol=1e-7, err_msg=str(k))
        np.testing.assert_allclose(mine.flow, newton.flow, rtol=1e-6, atol=1e-9 * case.weight.max(), err_msg=str(k))
    assert quiet >= 30  # the others sell out, or start too far from the solution


@few
@given(seeds, st.randoms(use_true_random=False))
def test_relabelling_permutes_results(seed: int, shuffle) -> None:
    case = case_of(seed)
    suppliers, buyers = list(range(case.available.size)), list(range(case.demand_flow.size))
    shuffle.shuffle(suppliers)
    shuffle.shuffle(buyers)
    other, lanes = relabel(case, suppliers, buyers)
    a, b = clear(case, 1e-8), clear(other, 1e-8)
    np.testing.assert_allclose(b.delivered, a.delivered[buyers], atol=1e-6)
    np.testing.assert_allclose(b.shadow, a.shadow[suppliers], atol=2e-5)
    np.testing.assert_allclose(b.flow, a.flow[lanes], rtol=1e-4, atol=1e-6 * case.weight.max())


@few
@given(seeds)
def test_what_is_not_in_force_leaves_no_trace(seed: int) -> None:
    """A gate of infinite capacity, a lane of weight zero and an inactive licence change no bit."""
    rng = np.random.default_rng([1, seed])
    case = replace(case_of(seed))
    case.licence_cap[:] = np.inf
    lanes = case.weight.shape[0]
    extra = [{int(i) for i in np.flatnonzero(rng.random(lanes) < 0.5)} for _ in range(2)]
    kept = [int(i) for i in np.flatnonzero(case.weight[:, 0] > 0)]
    plain, order = relabel(case, lanes=kept, licensed=False)
    more, _ = relabel(case, extra_gates=extra)
    a, b = clear(plain), clear(more)
    gates = case.gate_cap.shape[0]
    for name in ("shadow", "log_price", "delivered", "iterations"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
    np.testing.assert_array_equal(a.gate_shadow, b.gate_shadow[:gates])
    np.testing.assert_array_equal(a.flow, b.flow[order])
    assert not b.gate_shadow[gates:].any()


@few
@given(seeds, st.floats(1.0, 3.0))
def test_more_supply_never_raises_a_price(seed: int, factor: float) -> None:
    """Without shared gates: through one, more of one metal may crowd out another."""
    case = case_of(seed)
    case.gate_cap[:] = np.inf
    chosen = int(np.random.default_rng([2, seed]).integers(case.available.size))
    more = replace(case, available=case.available.copy())
    more.available[chosen] *= factor
    a, b = clear(case, 1e-8), clear(more, 1e-8)
    wanting = Plain(case).wanting
    assert (b.delivered - a.delivered)[wanting].max(initial=0.0) < 1e-6
    assert (b.log_price - a.log_price)[wanting].max(initial=0.0) < 1e-6


@few
@given(seeds, st.floats(1e-3, 1e3))
def test_units_do_not_matter(seed: int, factor: float) -> None:
    case = case_of(seed)
    a, b = clear(case, 1e-8), clear(scaled(case, factor), 1e-8)
    np.testing.assert_allclose(b.delivered, a.delivered, atol=1e-6)
    np.testing.assert_allclose(b.flow, a.flow * factor, rtol=1e-4, atol=1e-6 * factor * case.weight.max())


@few
@given(seeds)
def test_replications_are_independent(seed: int) -> None:
    """A replication is bit-identical alone and among others."""
    case, rng = case_of(seed), np.random.default_rng([3, seed])
    cases = [replace(case, available=case.available * rng.uniform(0.3, 1.5, case.available.shape)) for _ in range(3)]
    together = clear(stack(cases))
    for r, one in enumerate(cases):
        for whole, part in zip(together, clear(one), strict=True):
            np.testing.assert_array_equal(whole[:, [r]], part)


@few
@given(seeds)
def test_warm_and_cold_starts_agree(seed: int) -> None:
    """After stocks moved by 3 %, the last solution leads to the same prices as none."""
    case, rng = case_of(seed), np.random.default_rng([4, seed])
    before = clear(case)
    moved = np.exp(0.03 * rng.standard_normal(case.available.shape))
    now = replace(case, available=case.available * moved, floor=case.floor - 0.3 * np.log(moved))
    warm, cold = clear(now, 1e-8, start=before), clear(now, 1e-8)
    assert (warm.iterations >= 0).all()
    np.testing.assert_allclose(warm.delivered, cold.delivered, atol=1e-6)
    np.testing.assert_allclose(warm.log_price, cold.log_price, atol=1e-6)


@few
@given(seeds)
def test_nobody_ships_more_than_there_is(seed: int) -> None:
    """Exactly, whatever the order in which flows are added up."""
    case = case_of(seed)
    solution, plain = clear(case), Plain(case)
    shipped = plain.through * solution.flow
    for total in (shipped.sum(axis=0), shipped[::-1].sum(axis=0), np.cumsum(shipped, axis=0)[-1]):
        assert (total <= plain.capacity).all()
    assert (solution.flow >= 0).all()
    assert not solution.flow[~plain.open].any()
