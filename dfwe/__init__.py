"""dfwe: derivative-free weight-space ensembling."""

__version__ = "0.1.0"
