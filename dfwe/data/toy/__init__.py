"""A made-up world: Friends-like dialogues in the TLiDB format, written by a seeded generator."""
