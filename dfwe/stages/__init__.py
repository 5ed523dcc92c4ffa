"""The thin layer that wires the packages into a study."""
