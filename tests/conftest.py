"""Shared by all tests: annotations are checked while they run, and nothing reaches a network."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["WANDB_MODE"] = "offline"

from jaxtyping import install_import_hook

install_import_hook("dfwe", "beartype.beartype")
