"""What a merge is held against beside the baseline: ordinary rows of a study, one file a control."""
