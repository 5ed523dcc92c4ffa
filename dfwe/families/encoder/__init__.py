"""Shared by families whose models read with one encoder and answer by a head per task."""
