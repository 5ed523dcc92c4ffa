"""Metrics as functions of summed per-example counts. They do not import torch."""
