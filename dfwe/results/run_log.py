"""The log in a run's folder, which ends with one line where the disk is full; the study goes on to its own error."""

from __future__ import annotations

import logging
import sys


class RunLog(logging.FileHandler):
    """A log file as logging has it; the first thing that cannot be written ends it."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  logging's name
        """Tell the reason once instead of a traceback for every record."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
            return
        self.setLevel(logging.CRITICAL + 1)
        print(f"warning: the log {self.baseFilename} ends here: {error.strerror}", file=sys.stderr)
