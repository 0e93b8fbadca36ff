"""Physical processes: one SimPy process per kind and material stage, over all its facilities at once."""
