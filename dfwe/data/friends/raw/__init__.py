"""Public releases, each with a function from the folder of downloads to a `Reading`."""
