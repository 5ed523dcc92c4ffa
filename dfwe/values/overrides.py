"""Settings of a command, as Hydra reads them."""

import re

# by how settings begin that change no result: where things lie, what is written, who computes
CHANGE_NO_RESULT = (
    *("paths.", "logger", "report=", "export", "max_shard_size=", "push"),
    *("executor", "hydra", "plan_only="),
)


def quoted_value(text: str) -> str:
    """Return the text in quotes, so that Hydra reads it as it is: only backslashes before a quote count there."""
    escaped = re.sub(r"(\\*)('|$)", lambda match: 2 * match[1] + ("\\'" if match[2] else ""), text)
    return f"'{escaped}'"
