"""Self-contained HTML pages: one of a run, one that compares runs."""
