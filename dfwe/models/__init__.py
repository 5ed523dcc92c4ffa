"""Weights of models: where they come from, how they are read, checked and loaded; LoRA factors."""
