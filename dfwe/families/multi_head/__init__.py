"""One encoder with a head per task ("Cuts and Stitches")."""
