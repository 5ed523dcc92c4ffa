"""Merging checkpoints on disk by mergekit's recipes: no data, no search."""
