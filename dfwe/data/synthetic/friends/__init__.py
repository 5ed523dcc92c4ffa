"""Dialogues in the TLiDB format with annotations of the seven FETA-Friends tasks."""
