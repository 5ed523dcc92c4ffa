"""Readers, one file per corpus format; each returns a `Corpus`. They do not import torch."""
