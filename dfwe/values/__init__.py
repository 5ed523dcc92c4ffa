"""What settings may be: ranges and choices as annotations, read from source, and the check that uses them."""
