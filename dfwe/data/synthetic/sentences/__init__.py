"""Sentences and pairs of sentences for six tasks."""
