"""Market clearing: who ships how much to whom, and which constraint made the price."""
