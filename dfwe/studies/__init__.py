"""Which stages a study has, for which question."""
