"""Baselines that every merge is compared with."""
