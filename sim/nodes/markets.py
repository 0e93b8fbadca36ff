"""Markets: every review, all materials are cleared in one call, goods are shipped, prices are remembered.

Order within the phase: risk signal, orders, offers, clearing, shipping, relationships, smoothing, attribution.
Markets read each other's prices only as smoothed values of the previous review.
"""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from sim.calendar import Phase
from sim.gates import Cap
from sim.lanes import adapt_relations, enter_offtakes, mean_lead, relations_now, structural_risk
from sim.market.clearing import clear_markets
from sim.market.orders import Demand, make_offers, order_demand, urgency_window
from sim.market.prices import CAUSES, FIRST_POLICY, WEDGE, attribute, pass_on_costs
from sim.nodes.consumers import noise_path
from sim.nodes.independence import Independence
from sim.sums import follow, mark_up, spread_caution, sum_by_supplier, sum_rows
from sim.world import LANE_FLOOR, Steps, World

Array = NDArray[np.float64]

TOLERANCE = 1e-6
"""Relative tolerance of the clearing."""

FILL_SOFTNESS = 0.05
"""A stockpile's price limit is softened over this much of log price."""


def markets(world: World, book: Book) -> Steps:
    """Clear all materials at each review."""
    while True:
        yield world.next(Phase.MARKETS)
        book.clear()


class Book:
    """The markets of all materials in one block."""

    def __init__(self, world: World) -> None:
        self.world = world
        network, reps = world.network, world.draws.replications
        buyers, suppliers, lanes = len(network.buyers), len(network.suppliers), network.lane_buyer.size
        self.step = float(world.step)
        self.topology = world.gates.topology
        self.buyer_material, self.supplier_material = network.buyer_material, network.supplier_material
        self.theta = np.tile(world.habits.theta, (len(network.materials), 1))
        self.flow, self.delivered = world.lane_flow, np.zeros((buyers, reps))
        self.gate_shadow = np.zeros((len(world.gates.gates), reps))
        self.licence_shadow = np.zeros((len(world.gates.licences), reps))
        self.iterations = np.zeros((len(network.materials), reps), dtype=np.int64)
        self.steps_total, self.unconverged, self.clearings, self.kernel_seconds = 0, 0, 0, 0.0
        self._buyer_sum, self._supplier_sum = np.empty((buyers, reps)), np.empty((suppliers, reps))
        self._lane_work, self._landing = np.empty((lanes, reps)), np.empty((buyers, reps))
        self.is_pile = np.array([row.stockpile for row in network.suppliers])
        self.made_at = np.array(
            [-1 if row.stockpile else network.facility_index[row.owner] for row in network.suppliers], dtype=np.int64
        )
        self.window = urgency_window(world.baseline.cover)
        self._demanded = Demand(*(np.zeros((buyers, reps)) for _ in range(6)))
        self._offered = tuple(np.empty((suppliers, reps)) for _ in range(3))
        self._reported = np.empty((buyers, reps))
        self._nobody, self._nothing = np.zeros((0, reps), dtype=np.bool_), np.zeros((0, reps))
        self.is_dock = np.array([row.kind == "stockpile" for row in network.buyers])
        self.elasticity = world.baseline.thrift * world.habits.eps
        self.noise = self._price_noise()
        self.inputs_of = self._inputs_of_suppliers()
        self.pair_ptr = np.cumsum([0] + [rows.size for _, rows in self.inputs_of]).astype(np.int64)
        self.pair_supplier = np.array([s for s, _ in self.inputs_of], dtype=np.int64)
        self.pair_buyer = np.concatenate([rows for _, rows in self.inputs_of] or [np.empty(0, dtype=np.int64)])
        self.chi = world.baseline.value_share * world.baseline.class_share[:, None]
        self.gate_groups, self.licence_groups = Cap(world.gates.gates), Cap(world.gates.licences)
        self._ramp = np.zeros_like(world.levers.ramp)
        self.warned, self.fearful, self._waited = False, False, True
        self._calm, self._due = np.zeros(buyers, dtype=np.bool_), np.ones(buyers, dtype=np.bool_)
        self._lead, self._lead_ramp = np.empty((buyers, reps)), world.levers.ramp.copy()
        causes = len(CAUSES) + len(world.policies)
        world.recorder.expect_causes((*CAUSES, *world.policies))
        self.parts, self.parts_smooth = np.zeros((buyers, causes, reps)), np.zeros((buyers, causes, reps))
        self.parts_mean = np.zeros((buyers, causes))
        self.active = np.arange(causes) < FIRST_POLICY
        self.active[WEDGE] = False
        self.is_traced = np.isin(np.arange(buyers), self.pair_buyer)
        self.has_inputs = np.isin(np.arange(suppliers), self.pair_supplier)
        self.smoothing = self.weight_of(world.habits.smoothing)
        self.input_parts = np.zeros((suppliers, causes, reps))
        self.independence = Independence(world) if world.independent_of else None
        world.beliefs.lead[:] = self._mean_lead()

    # -- preparation --------------------------------------------------------------------------------

    def _price_noise(self) -> Array:
        """(review, material, replication) log noise: costs, exchange rates, sentiment."""
        world, habits = self.world, self.world.habits
        reviews, names = world.calendar.reviews, world.network.materials
        if not world.switches.noise:
            return np.zeros((reviews, len(names), world.draws.replications))
        paths = [
            noise_path(
                world.draws,
                f"materials.{name}",
                habits.price_noise,
                habits.price_noise_days,
                reviews,
                self.step,
            )
            for name in names
        ]
        return np.stack(paths, axis=1)

    def _inputs_of_suppliers(self) -> list[tuple[int, NDArray[np.int64]]]:
        """Pair each processor's supplier rows with its buyer rows."""
        network = self.world.network
        pairs = []
        for s, row in enumerate(network.suppliers):
            if row.stockpile:
                continue
            process = network.world.processes[network.blueprint.facilities[row.owner].process]
            rows = [network.buyer_rows[(row.owner, material)] for material in process.inputs]
            if rows:
                pairs.append((s, np.concatenate(rows)))
        return pairs

    def weight_of(self, days: Array | float) -> Array:
        """Return the EWMA weight of one review for a time constant."""
        return np.asarray(1.0 - np.exp(-self.step / np.asarray(days)))

    # -- the review ---------------------------------------------------------------------------------

    def clear(self) -> None:
        """Clear, ship and remember."""
        world = self.world
        relation = self._relations()
        self._risk()
        demand = self._demand()
        available, reserve, scale = self._offers()
        gate_scale, licence_scale = self._scales()
        began = time.process_time()
        clear_markets(
            self.topology,
            relation,
            self._wedge(),
            self.theta,
            demand.flow,
            demand.elasticity,
            demand.stock,
            demand.stock_rate,
            demand.offset,
            demand.cap,
            available,
            reserve,
            scale,
            world.levers.gate_cap,
            gate_scale,
            world.levers.licence_cap,
            licence_scale,
            world.habits.v_max,
            TOLERANCE,
            world.beliefs.shadow,
            self.gate_shadow,
            world.beliefs.bid,
            self.flow,
            self.licence_shadow,
            self.delivered,
            self.iterations,
        )
        self.kernel_seconds += time.process_time() - began
        self.clearings += self.iterations.size
        self.steps_total += int(np.abs(self.iterations).sum())
        self.unconverged += int((self.iterations < 0).sum())
        self._ship()
        self._adapt_relations()
        self._remember()
        self._record(relation)

    def _wedge(self) -> Array:
        """Return added trade costs, (lane, replication); no rows where there is none."""
        return self.world.levers.wedge if self.world.levers.holds("wedge") else self._nothing

    def _relations(self) -> Array:
        """Return K D of every lane, t: relationships with growth, new offtakes, and stockpiles on offer."""
        world, levers = self.world, self.world.levers
        growth = world.growth_of_buyers
        if world.offtake_lanes.size:
            self._enter_offtakes(growth)
        relation = relations_now(
            world.beliefs.relation, growth, world.contracts.scale, levers.marks["shut"], levers.passable(),
            levers.marks["offered"], levers.release_lane, world.network.lane_ptr, self.step, self._lane_work,
        )  # fmt: skip
        return self._with_fills(relation) if levers.holds("fill") else relation

    def _enter_offtakes(self, growth: Array) -> None:
        """Let new lanes join with what their ramp added since the last review."""
        world = self.world
        change = world.levers.ramp - self._ramp
        if change.any():
            enter_offtakes(
                world.beliefs.relation,
                world.offtake_lanes,
                world.offtake_of,
                world.offtake_volume,
                change,
                growth,
                world.network.lane_buyer,
            )
            self._ramp = world.levers.ramp.copy()

    def _with_fills(self, relation: Array) -> Array:
        """Let a filling stockpile meet every supplier in the shares of its sales."""
        network = self.world.network
        for dock in np.flatnonzero(self.is_dock & self.world.levers.fill.any(axis=1)):
            lanes = np.arange(network.lane_ptr[dock], network.lane_ptr[dock + 1])
            suppliers = network.lane_supplier[lanes]
            weight = np.where(self.is_pile[suppliers][:, None], 0.0, self.world.beliefs.sales[suppliers])
            relation[lanes] = weight / sum_rows(weight) * self.world.levers.fill[dock]
        return relation

    def _mean_lead(self) -> Array:
        """Return mean days under way to each buyer; only new lanes and waits at a border change them."""
        world, levers, contracts = self.world, self.world.levers, self.world.contracts
        waits = levers.holds("border_share")
        held = levers.marks["waiting"]
        waiting = np.logical_or.reduceat(np.append(held, False), world.network.lane_ptr[:-1]) if waits else self._calm
        waiting[np.diff(world.network.lane_ptr) == 0] = False
        moved = waits or self._waited or not np.array_equal(levers.ramp, self._lead_ramp)
        due = waiting | self._due | (contracts.joined & moved)
        if due.any():
            mean_lead(
                due, contracts.flow, contracts.growth, contracts.joined, contracts.of_joined, world.baseline.lead_time,
                held, levers.border_days, levers.border_share, world.network.lane_ptr, self._lead,
            )  # fmt: skip
        if moved:
            self._lead_ramp = levers.ramp.copy()
        self._due, self._waited = waiting, waits
        return self._lead

    def _risk(self) -> None:
        """Update structural risk S, the fading precautionary motive h and its world mean (docs/model.md, eq. 10)."""
        world, beliefs, network = self.world, self.world.beliefs, self.world.network
        habits = world.habits
        follow(self._mean_lead(), 1.0, self.smoothing, beliefs.lead)
        if self.warned or world.levers.holds("risk"):
            structure = structural_risk(
                world.levers.risk, world.lane_baseline, beliefs.structure, network.lane_ptr, network.lane_supplier,
                self.pair_ptr, self.pair_supplier, self.pair_buyer, self._buyer_sum,
            )  # fmt: skip
            rise = np.maximum(structure - beliefs.structure, 0.0)
            beliefs.structure[:] = structure
            self.warned = bool(structure.any())
            beliefs.hoarding *= 2.0 ** (-self.step / habits.news_half_life)
            beliefs.hoarding += habits.precaution * rise
            self.fearful = True
        elif self.fearful:
            beliefs.hoarding *= 2.0 ** (-self.step / habits.news_half_life)
        if self.fearful:
            self._world_caution()

    def _world_caution(self) -> None:
        beliefs = self.world.beliefs
        spread_caution(
            beliefs.requirement, beliefs.hoarding, self.buyer_material, self.smoothing, beliefs.world_caution
        )

    def _demand(self) -> Demand:
        world, beliefs, habits, base = self.world, self.world.beliefs, self.world.habits, self.world.baseline
        made = self._demanded
        demand = Demand(made.flow, self.elasticity, made.stock, made.stock_rate, made.offset, made.cap)
        order_demand(
            beliefs.requirement, world.stocks.buyer, world.stocks.in_transit,
            world.stocks.landing(0.5 * self.window, self._landing), base.cover, self.window, beliefs.settled,
            beliefs.hoarding, beliefs.lead, self._passed_on() if habits.pass_on.any() else self._nothing,
            self.weight_of(habits.urgency_smoothing), habits.precaution_days, habits.phi_b, habits.T_b, habits.kappa,
            habits.v_max, self.step, beliefs.urgency,
            demand.flow, demand.stock, demand.stock_rate, demand.offset, demand.cap,
        )  # fmt: skip
        return self._with_docks(demand) if world.levers.holds("fill") else demand

    def _passed_on(self) -> Array:
        """Part of the own-product log price that processors bid for inputs."""
        extra = np.zeros_like(self.delivered)
        for s, rows in self.inputs_of:
            extra[rows] = self.world.habits.pass_on * self.world.beliefs.shadow_smooth[s]
        return extra

    def _with_docks(self, demand: Demand) -> Demand:
        """Give filling stockpiles their demand: up to an amount, below a softened price limit."""
        levers, rows = self.world.levers, self.is_dock
        parts = [np.array(part) for part in demand]
        flow, elasticity, stock, rate, offset, cap = parts
        flow[rows], elasticity[rows], offset[rows] = 0.0, 0.0, 0.0
        rate[rows] = 1.0 / FILL_SOFTNESS
        stock[rows] = levers.fill[rows] * np.exp(levers.fill_limit[rows] / FILL_SOFTNESS)
        cap[rows] = levers.fill[rows]
        return Demand(*parts)

    def _offers(self) -> tuple[Array, Array, Array]:
        """Return what suppliers offer (t), their reserve log price, and the scale of each offer (t)."""
        world, beliefs, base, habits = self.world, self.world.beliefs, self.world.baseline, self.world.habits
        self._input_cost()
        controlled = self._nobody
        if world.levers.holds("risk"):
            controlled = sum_by_supplier(world.levers.risk, world.network.lane_supplier, self._supplier_sum) > 0
        available, reserve, scale = self._offered
        make_offers(
            base.sales, world.growth_now, self.supplier_material, base.made, self.made_at, world.plant_capacity,
            base.utilisation, base.supplier_cover, beliefs.sales, world.stocks.supplier, beliefs.world_caution,
            controlled, beliefs.input_cost, world.levers.release, world.levers.release_reserve, habits.phi_s,
            habits.gamma, self.step, beliefs.scarcity, beliefs.caution, available, reserve, scale,
        )  # fmt: skip
        return available, reserve, scale

    def _input_cost(self) -> None:
        """Update the replacement cost of inputs in the reserve, and its causes."""
        beliefs = self.world.beliefs
        pass_on_costs(
            self.pair_ptr, self.pair_supplier, self.pair_buyer, self.chi,
            beliefs.price_smooth, self.parts_smooth, self.active,
            beliefs.input_cost, self.input_parts,
        )  # fmt: skip

    def _scales(self) -> tuple[Array, Array]:
        """Baseline t per review through each gate and licence."""
        world = self.world
        return world.base_flow(self.gate_groups) * self.step, world.base_flow(self.licence_groups) * self.step

    # -- after clearing -----------------------------------------------------------------------------

    def _ship(self) -> None:
        world, levers = self.world, self.world.levers
        shipped, _ = world.stocks.send(
            self.flow, world.baseline.lead_time, levers.border_days, levers.border_share, levers.refused,
            levers.marks["waiting"],
        )  # fmt: skip
        follow(shipped, 1.0 / self.step, self.smoothing, world.beliefs.sales)

    def _adapt_relations(self) -> None:
        world, contracts = self.world, self.world.contracts
        adapt_relations(
            world.beliefs.relation, self.flow, world.levers.marks["offered"], world.levers.release_lane,
            contracts.flow, contracts.joined, contracts.of_joined, contracts.growth, contracts.scale,
            world.network.lane_ptr, self.step, world.habits.tau_K, world.habits.tau_0, LANE_FLOOR,
        )  # fmt: skip

    def _remember(self) -> None:
        beliefs, weight = self.world.beliefs, self.smoothing
        beliefs.price[:] = self.delivered
        follow(self.delivered, 1.0, weight, beliefs.price_smooth)
        follow(beliefs.shadow, 1.0, weight, beliefs.shadow_smooth)

    def _record(self, relation: Array) -> None:
        world, beliefs, top = self.world, self.world.beliefs, self.topology
        attribute(
            top.lane_ptr, top.lane_supplier, top.lane_licence, top.lane_gate_ptr, top.lane_gate,
            self.flow, relation, self.delivered,
            beliefs.shadow, beliefs.input_cost, beliefs.caution, self.has_inputs, self.input_parts,
            self._wedge(), self.licence_shadow, world.levers.licence_holder,
            self.gate_shadow, world.levers.gate_holder,
            self.smoothing, world.recorder.weight, self.active, self.is_traced, self.parts,
            self.parts_smooth, self.parts_mean, self._buyer_sum,
        )  # fmt: skip
        bought = self._buyer_sum
        independent = self.independence.update(self.flow, bought) if self.independence else None
        mark_up(self.delivered, self.noise[world.review], self.buyer_material, self._reported)
        world.recorder.close_review(
            world.review,
            self._reported,
            world.stocks.buyer,
            beliefs.requirement,
            bought,
            independent,
        )
        world.recorder.note_causes(world.review, self.parts_mean)
