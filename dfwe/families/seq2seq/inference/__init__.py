"""Answering: closed sets of labels, and free text."""
