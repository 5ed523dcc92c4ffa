"""Heads on a shared encoder: one file a form of task."""
