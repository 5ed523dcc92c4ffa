"""Generated sentences of a small invented world, for six tasks of sentences and pairs."""
