"""Baselines of a study, one class and one option in conf/baseline each."""
