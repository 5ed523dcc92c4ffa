"""Which source tasks to take for a target."""
