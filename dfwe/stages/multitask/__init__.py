"""Studies of models with one encoder and a head a task ("Cuts and Stitches")."""
