"""`python -m dfwe` is the command `dfwe`."""

from __future__ import annotations

from dfwe.cli import main

if __name__ == "__main__":
    main()
