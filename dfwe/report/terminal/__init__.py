"""Draw tables, plans and progress on the terminal."""
