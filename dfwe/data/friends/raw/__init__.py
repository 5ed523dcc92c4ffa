"""One file a public release, each with `read(folder) -> Reading`."""
