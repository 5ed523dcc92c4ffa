"""From a table to a model in one line."""
