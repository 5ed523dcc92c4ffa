"""Keeping libraries' chatter off the screen."""

from __future__ import annotations

import logging
import warnings

import transformers
from transformers.utils import logging as transformers_logging


def quiet() -> None:
    """Keeps the libraries' chatter off the screen; warnings of dfwe's own stay."""
    transformers_logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    for category in (UserWarning, FutureWarning):
        warnings.filterwarnings("ignore", category=category, module="(transformers|torch|pytorch_lightning).*")
    for name in ("datasets", "pytorch_lightning", "fsspec"):
        logging.getLogger(name).setLevel(logging.ERROR)
