"""Physical processes: one SimPy process per kind, over all its facilities at once."""
