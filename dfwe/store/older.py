"""Results of an older format, which no study uses: said once per store."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path

from dfwe.store.card import FORMAT
from dfwe.store.inventory import OLDER, inventory
from dfwe.store.lines import num

log = logging.getLogger(__name__)

_SEEN = "format"  # a file beside the results: the format that the store was last looked through for


def warn_of_older(root: Path) -> None:
    """Warn if the store holds results of an older format; look once, since every card must be read."""
    seen = root / _SEEN
    if not root.is_dir() or (seen.is_file() and seen.read_text(errors="replace").strip() == str(FORMAT)):
        return
    older = [item for item in inventory(root) if item.state == OLDER]
    if older:
        log.warning(
            "%s holds %s of an older version, which are made again where they are needed; "
            "`python -m dfwe.store prune --older-format --store %s` deletes them",
            root,
            num(len(older)),
            root,
        )
    with suppress(OSError):  # a store that cannot be written is looked through again
        seen.write_text(f"{FORMAT}\n")
