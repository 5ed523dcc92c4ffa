"""From YAML and the command line to checked values and objects."""
