"""Reading and writing files strictly, with errors that name file, line and key."""
