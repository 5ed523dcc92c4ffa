"""What a worker gave, or raised."""

from __future__ import annotations

from typing import Any

import ray
from ray.exceptions import RayTaskError

from dfwe.errors import DfweError


def got(reference: Any) -> Any:
    """The result; raises an error of the user's as the worker raised it, RayActorError where the worker was lost."""
    try:
        return ray.get(reference)
    except RayTaskError as error:
        if isinstance(error.cause, DfweError):
            raise error.cause from None
        raise  # a mistake of ours: it tells where in the worker
