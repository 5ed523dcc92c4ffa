"""Which of the candidate tasks are to be a target's sources: found without a study for each set of them."""
