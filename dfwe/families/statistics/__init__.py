"""Statistics of experts that merge methods need."""
