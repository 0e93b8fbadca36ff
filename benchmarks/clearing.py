"""Measures the clearing kernel alone: dense markets of 8 suppliers and 8 buyers, warm, stocks changing by 3 %."""

from __future__ import annotations

import time

import numpy as np

from sim.market.clearing import clear_markets
from sim.market.topology import MarketTopology

SIZE, REPLICATIONS, REVIEWS = 8, 128, 200


def dense_clearing() -> str:
    """Return one line: microseconds and Newton steps per clearing."""
    rng = np.random.Generator(np.random.Philox(1))
    topology = _topology()
    weight = rng.uniform(0.2, 2.0, (SIZE * SIZE, REPLICATIONS))
    need = weight.reshape(SIZE, SIZE, -1).sum(axis=1)
    sold = weight.reshape(SIZE, SIZE, -1).sum(axis=0)
    stock = sold * rng.uniform(0.6, 1.4, (SIZE, REPLICATIONS))
    shadow, price = np.zeros((SIZE, REPLICATIONS)), np.zeros((SIZE, REPLICATIONS))
    flow, delivered = np.empty((SIZE * SIZE, REPLICATIONS)), np.empty((SIZE, REPLICATIONS))
    steps, empty = np.empty((1, REPLICATIONS), dtype=np.int64), np.zeros((0, REPLICATIONS))
    total_steps, seconds = 0, 0.0
    for review in range(REVIEWS + 20):
        stock *= np.exp(rng.normal(0.0, 0.03, stock.shape))
        floor = np.clip(-0.3 * np.log(stock / sold), -1.2, 1.5)
        began = time.process_time()
        clear_markets(
            topology, weight, np.zeros_like(weight), np.full((1, REPLICATIONS), 0.15),
            need, np.full_like(need, 0.1), 3.0 * need, np.full_like(need, 1.0 / 0.75), -3.0 * need, 4.0 * need,
            stock, floor, sold, empty, empty, empty, empty, 3.4, 1e-5,
            shadow, empty, price, flow, empty, delivered, steps,
        )  # fmt: skip
        if review >= 20:
            seconds += time.process_time() - began
            total_steps += int(np.abs(steps).sum())
    clearings = REVIEWS * REPLICATIONS
    cost = f"{1e6 * seconds / clearings:.1f} us, {total_steps / clearings:.1f} Newton steps"
    return f"dense 8 x 8 clearing, warm, 3 % change: {cost}"


def _topology() -> MarketTopology:
    lanes = SIZE * SIZE
    one = np.array([0, SIZE], dtype=np.int64)
    none = np.zeros(0, dtype=np.int64)
    return MarketTopology(
        supplier_ptr=one,
        buyer_ptr=one,
        gate_ptr=np.zeros(2, dtype=np.int64),
        lane_ptr=np.arange(0, lanes + 1, SIZE, dtype=np.int64),
        lane_supplier=np.tile(np.arange(SIZE, dtype=np.int64), SIZE),
        lane_gate_ptr=np.zeros(lanes + 1, dtype=np.int64),
        lane_gate=none,
        licence_ptr=np.zeros(SIZE + 1, dtype=np.int64),
        lane_licence=np.full(lanes, -1, dtype=np.int64),
    )
