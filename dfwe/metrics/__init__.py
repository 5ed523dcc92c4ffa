"""Metrics as functions of summed per-example counts. No torch here."""
