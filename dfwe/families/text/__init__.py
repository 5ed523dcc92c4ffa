"""What the families whose answers are texts share: prompts as tokens, trees of answers, reading and training."""
