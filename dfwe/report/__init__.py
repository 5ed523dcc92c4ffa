"""Tables, drawn from JSON results alone."""
