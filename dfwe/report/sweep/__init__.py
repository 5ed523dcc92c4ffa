"""Compare runs: the jobs of a sweep, means over seeds, and the tables of the paper."""
