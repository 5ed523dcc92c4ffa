"""What depends on the kind of model, one folder per kind."""
