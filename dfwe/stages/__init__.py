"""Steps of a study whose results the store keeps: trainings, merges, evaluations."""
