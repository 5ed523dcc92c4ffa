"""Merge methods that sparsify task vectors."""
