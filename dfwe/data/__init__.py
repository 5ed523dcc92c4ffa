"""Corpora, their readers and generators, and the instances of tasks."""
