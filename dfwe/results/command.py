"""Record the command line that repeats a study."""

from __future__ import annotations

import shlex

from hydra.core.hydra_config import HydraConfig


def command() -> dict[str, str]:
    """Return `command`, that of this job alone in a sweep; nothing where no command began the study."""
    if not HydraConfig.initialized():
        return {}
    return {"command": shlex.join(["python", "-m", "dfwe.run", *HydraConfig.get().overrides.task])}
