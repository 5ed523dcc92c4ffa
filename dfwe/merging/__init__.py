"""Rules that combine experts' weights; one file per rule."""
