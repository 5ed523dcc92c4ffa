"""One file per form of question; each turns a dialogue into instances. No torch here."""
