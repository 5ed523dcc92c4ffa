"""Results of studies of models with a head per task."""
