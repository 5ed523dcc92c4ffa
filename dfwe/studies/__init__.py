"""Studies: the recipes of both papers, and the stages that they need."""
