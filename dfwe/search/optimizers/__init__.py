"""Searches: one file per optimizer."""
