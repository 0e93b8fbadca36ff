"""Everything that fails by chance: outages of facilities, shocks to countries, closures of routes.

Down times are drawn in continuous time as stationary alternating renewal processes and integrated over each
review exactly, so that the review interval does not change how much is lost (docs/model.md, section 6).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.calendar import Calendar, Phase
from sim.compiled import njit
from sim.config import schema
from sim.draws import Draws
from sim.network import Network
from sim.world import Steps, World

Array = NDArray[np.float64]

BURN_IN = 3.0
"""Cycles run before the start, so that the process is stationary at day 0."""

MOST_KNOWN = 300
_known: dict[tuple[object, ...], Array] = {}
"""Down times drawn last: the scenarios of a run share their luck, block by block."""


@njit(cache=True)
def overlap(up: Array, down: Array, burn_in: Array, review: float, reviews: int) -> Array:
    """Return the share of each review spent down.

    Parameters
    ----------
    up, down : (cycle, replication) float, d
        Successive times to failure and repair times.
    burn_in : (replication,) float, d
        Time before day 0 at which the first cycle starts.
    review : float, d
    reviews : int

    Returns
    -------
    (review, replication) float in [0, 1]
    """
    share = np.zeros((reviews, up.shape[1]))
    _add_overlap(up, down, burn_in, review, share)
    return share


@njit(cache=True)
def _add_overlap(up: Array, down: Array, burn_in: Array, review: float, share: Array) -> None:
    """Add the share of each review spent down, as of `overlap`, to (review, replication)."""
    cycles, reps = up.shape
    reviews = share.shape[0]
    for r in range(reps):
        now = -burn_in[r]
        for i in range(cycles):
            start = now + up[i, r]
            end = start + down[i, r]
            now = end
            first = max(0, int(np.floor(max(start, 0.0) / review)))
            for k in range(first, reviews):
                left, right = k * review, (k + 1) * review
                if left >= end:
                    break
                share[k, r] += max(0.0, min(right, end) - max(left, start)) / review
            if now > reviews * review:
                break


def down_share(
    draws: Draws, entity: str, failure: schema.Lifetime, repair: schema.Lifetime, calendar: Calendar, sites: int = 1
) -> Array:
    """Return the share of each review that an alternating renewal process spends down, or the mean over sites.

    Parameters
    ----------
    sites : int
        Each has a luck of its own; of several, `entity` is the name before ``#`` and its number.

    Returns
    -------
    (review, replication) float, read-only
        Its mean is MTTR / (MTBF + MTTR) (Barlow and Proschan 1975).
    """
    mtbf, mttr = draws.number(failure.mean), draws.number(repair.mean)
    laws = tuple((law.dist, tuple(sorted(law.shape.items()))) for law in (failure, repair))
    times = (float(calendar.review), float(calendar.horizon), mtbf.tobytes(), mttr.tobytes())
    key = (draws.seed, draws.block, draws.replications, entity, sites, laws, times)
    if key not in _known:
        if len(_known) >= MOST_KNOWN:
            _known.clear()
        share = np.zeros((calendar.reviews, draws.replications))
        for name in [entity] if sites == 1 else [f"{entity}#{site}" for site in range(sites)]:
            _renew(draws, name, failure, repair, mtbf, mttr, calendar, share)
        if sites > 1:
            share /= sites
        share.setflags(write=False)
        _known[key] = share
    return _known[key]


def _renew(
    draws: Draws,
    entity: str,
    failure: schema.Lifetime,
    repair: schema.Lifetime,
    mtbf: Array,
    mttr: Array,
    calendar: Calendar,
    share: Array,
) -> None:
    """Draw the up and down times of one process over the run, and add their share of each review."""
    burn_in = BURN_IN * (mtbf + mttr)
    needed = burn_in + calendar.horizon
    cycles = float((needed / (mtbf + mttr)).max())
    count = int(np.ceil(cycles + 2.5 * np.sqrt(cycles))) + 3
    while True:
        up = draws.lifetimes(entity, "time to failure", failure, mtbf, count)
        down = draws.lifetimes(entity, "repair time", repair, mttr, count)
        if ((up + down).sum(axis=0) > needed).all():
            _add_overlap(up, down, burn_in, float(calendar.review), share)
            return
        count *= 2


def mean_availability(network: Network, draws: Draws, active: bool) -> Array:
    """Return the availability that ordinary outages leave on average, (facility, replication)."""
    mean = np.ones((len(network.facilities), draws.replications))
    if not active:
        return mean
    for i, (name, facility) in enumerate(network.blueprint.facilities.items()):
        outage = _outage_of(network, name, facility)
        if outage is not None:
            mtbf, mttr = draws.number(outage.time_to_failure.mean), draws.number(outage.repair_time.mean)
            mean[i] = 1.0 - draws.number(outage.severity) * mttr / (mtbf + mttr)
    return mean


def _outage_of(network: Network, name: str, facility: schema.Facility) -> schema.Outage | None:
    outages = network.world.hazards.outages
    return outages.get(name, outages.get(facility.process))


@njit(cache=True)
def _take_out(share: Array, i: int, severity: Array, down: Array) -> None:
    """Take severity (replication,) times what is down (review, replication) off a facility's capacity, in place."""
    for k in range(down.shape[0]):
        for r in range(down.shape[1]):
            share[k, i, r] -= severity[r] * down[k, r]


def available_capacity(network: Network, draws: Draws, calendar: Calendar) -> Array:
    """Return the share of capacity up in each review, (review, facility, replication)."""
    share = np.empty((calendar.reviews, len(network.facilities), draws.replications))
    share.fill(1.0)
    for i, (name, facility) in enumerate(network.blueprint.facilities.items()):
        outage = _outage_of(network, name, facility)
        if outage is not None:
            sites = 1 if facility.sites is None else max(1, round(facility.sites.value))
            down = down_share(draws, f"facilities.{name}", outage.time_to_failure, outage.repair_time, calendar, sites)
            _take_out(share, i, draws.number(outage.severity), down)
    for name, shock in network.world.hazards.shocks.items():
        down = draws.number(shock.severity) * down_share(
            draws, f"hazards.{name}", shock.time_to_failure, shock.repair_time, calendar
        )
        struck = network.expand(shock.countries)
        for i, facility in enumerate(network.blueprint.facilities.values()):
            if facility.country in struck and (shock.processes is None or facility.process in shock.processes):
                share[:, i] *= 1.0 - down
    return share


def hazards(world: World) -> Steps:
    """Take failed capacity out and close routes at each review."""
    if not world.switches.hazards:
        return
    network = world.network
    up = available_capacity(network, world.draws, world.calendar)
    closures = [
        (
            network.lanes(None, risk.origin, risk.destination),
            down_share(world.draws, f"hazards.{name}", risk.time_to_failure, risk.repair_time, world.calendar),
        )
        for name, risk in network.world.hazards.routes.items()
    ]
    while True:
        yield world.next(Phase.HAZARDS)
        world.levers.run(up[world.review])
        for lanes, down in closures:
            if down[world.review].any():
                world.levers.close(lanes, down[world.review])
