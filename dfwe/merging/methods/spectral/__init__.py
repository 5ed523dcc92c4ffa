"""Merge methods on singular directions."""
