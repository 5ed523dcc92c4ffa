"""Classifiers: one shared encoder and, per task, the head of a Transformers model for sequence classification."""
