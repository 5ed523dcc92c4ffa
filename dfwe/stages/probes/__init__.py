"""What is asked of a study's landscape once its merge is made: one file a probe."""
