"""One file per corpus format; each gives a `Corpus`. No torch here."""
