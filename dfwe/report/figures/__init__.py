"""Pictures, one file each: plain data in, a matplotlib figure out; all in the one style of `style.py`."""
