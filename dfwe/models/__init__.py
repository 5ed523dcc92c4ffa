"""Lightning modules and where their weights come from."""
