"""Many studies at once: which jobs, what they share, what they need."""
