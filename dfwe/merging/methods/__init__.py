"""Merge methods, by kind."""
