"""The command line that makes a study again."""

from __future__ import annotations

import shlex

from hydra.core.hydra_config import HydraConfig


def command() -> dict[str, str]:
    """`command`: that of this job, of a sweep's one job alone; nothing where no command began the study."""
    if not HydraConfig.initialized():
        return {}
    return {"command": shlex.join(["python", "-m", "dfwe.run", *HydraConfig.get().overrides.task])}
