"""Runs and their view in Weights & Biases, from what a study left in its folder."""
