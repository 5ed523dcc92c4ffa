"""What a study found: rows, comparisons, costs, and the files of its run folder."""
