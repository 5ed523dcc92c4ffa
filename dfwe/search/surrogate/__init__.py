"""A surrogate in front of a search: fewer true evaluations."""
