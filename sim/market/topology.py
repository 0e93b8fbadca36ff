"""Which sellers, buyers, lanes and limits meet in which market."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.int64]


class MarketTopology(NamedTuple):
    """Who is linked to whom: index arrays shared by all replications.

    Markets, suppliers, buyers, gates, licences and lanes are numbered globally and sorted by market;
    lanes are sorted by buyer. ``x_ptr[i]:x_ptr[i + 1]`` is the range of things that belong to ``i``.
    """

    supplier_ptr: Index  # (market + 1,)
    buyer_ptr: Index  # (market + 1,)
    gate_ptr: Index  # (market + 1,) shared gates: quotas, routes, ...
    lane_ptr: Index  # (buyer + 1,)
    lane_supplier: Index  # (lane,)
    lane_gate_ptr: Index  # (lane + 1,)
    lane_gate: Index  # (lane x gate,) shared gates that each lane passes
    licence_ptr: Index  # (buyer + 1,) licences, whose lanes all end at this buyer
    lane_licence: Index  # (lane,) licence or -1
