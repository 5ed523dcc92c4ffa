"""Studies of models with a head per task."""
