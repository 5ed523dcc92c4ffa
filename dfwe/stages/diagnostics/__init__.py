"""Optional diagnostics around a merge, on dev."""
