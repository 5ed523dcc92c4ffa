"""Seeded generators of toy corpora, by which every feature can be tried without a download."""
