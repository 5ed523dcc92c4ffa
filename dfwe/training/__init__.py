"""Fitting an expert, and searching weights, with Lightning."""
