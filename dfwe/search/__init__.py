"""Derivative-free search over coefficients. No torch here."""
