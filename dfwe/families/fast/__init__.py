"""Faster inference and dropout on CPUs; inference gives the same results but for rounding."""
