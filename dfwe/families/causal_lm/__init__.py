"""Decoder-only models that answer in text (AutoModelForCausalLM)."""
