"""Give a merge its tokenizer: one vocabulary of several, and a chat template."""
