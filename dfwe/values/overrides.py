"""Settings of the command that change no result, by how they begin: where things lie, what is written, who computes."""

CHANGE_NO_RESULT = (
    *("paths.", "logger", "report=", "export", "max_shard_size=", "push"),
    *("executor", "hydra", "plan_only=", "trainer.threads="),
)
