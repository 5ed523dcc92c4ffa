"""Heads, one file each."""
