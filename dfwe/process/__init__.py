"""A command's process: its exit codes, signals and log lines."""
