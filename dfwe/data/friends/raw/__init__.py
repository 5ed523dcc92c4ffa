"""Public releases, one per file, each with `read(folder) -> Reading`."""
