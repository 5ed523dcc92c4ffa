"""Hydra sweeps: plans, folders, comparison."""
