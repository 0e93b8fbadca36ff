"""Drawdown: a discrete-event simulator of supply disruption in critical minerals."""
