"""Rows of a data set on the Hugging Face Hub, or of a local folder that `datasets` saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfwe.data.readers.sheet import Sheet, SheetSource, sheet_of
from dfwe.errors import DataError
from dfwe.values.allowed import Name


@dataclass(frozen=True)
class HubSplit(SheetSource):
    """One split of a data set; a folder of that `name` below the root takes precedence over the Hub.

    The folder is one that `datasets` wrote with `save_to_disk`, of all splits or of this one. A label stored as a
    number stays that number.
    """

    name: Name
    configuration: str | None
    split: Name
    revision: str | None  # a commit of the data set's repository; null for the newest
    rename: Mapping[str, Name]

    def sheet(self, root: Path) -> Sheet:
        """Read the rows of the split; see SheetSource."""
        data, origin = self._load(root)
        if not len(data):
            raise DataError(f"{origin} has no rows: expected at least one")
        stem = f"{Path(self.name).name}-{self.split}"
        return sheet_of(list(enumerate(data, 1)), origin=origin, stem=stem, rename=self.rename)

    def _load(self, root: Path) -> tuple[Any, str]:
        """Return the rows and how messages name them: by their split only if they are sure to be of that split."""
        import datasets  # takes seconds, so only on use

        folder = root / self.name
        origin = f"{self.name} ({', '.join(filter(None, (self.configuration, self.split)))})"
        try:
            if not folder.is_dir():
                data = datasets.load_dataset(self.name, self.configuration, split=self.split, revision=self.revision)
                return data, origin
            loaded = datasets.load_from_disk(str(folder))
            if isinstance(loaded, datasets.DatasetDict):
                return loaded[self.split], origin
        except (OSError, ValueError, KeyError, RuntimeError) as error:  # no network, name or split; an outdated kind
            raise DataError(self._explain(error, folder=folder)) from error
        if loaded.split not in (None, self.split):
            raise DataError(f"{folder} holds the split '{loaded.split}' alone, not '{self.split}': save a DatasetDict")
        return loaded, origin if loaded.split else self.name

    def _explain(self, error: Exception, *, folder: Path) -> str:
        first = next(iter(str(error).splitlines()), "")
        return (
            f"the data set '{self.name}', split '{self.split}', cannot be loaded ({type(error).__name__}: {first}). "
            f"Without a network, load it elsewhere, write it with save_to_disk, and put that folder at {folder}"
        )
