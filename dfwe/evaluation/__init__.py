"""A model's answers and their score."""
