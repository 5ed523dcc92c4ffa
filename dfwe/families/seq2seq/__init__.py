"""Encoder-decoders that answer in text (AutoModelForSeq2SeqLM)."""
