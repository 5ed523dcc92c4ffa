"""Push a model's folder to a repository on the Hub, by its own library: its token, its endpoint, its uploads."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dfwe.errors import ConfigurationError, ModelError, NetworkError
from dfwe.values.allowed import is_repository

_HOW = "log in by `hf auth login`, or set HF_TOKEN to a token that may write"


@dataclass(frozen=True)
class Push:
    """Where a folder goes: `user/name`, and whether a repository that is not there yet becomes private."""

    repo: str
    private: bool = True

    def check(self) -> None:
        """Check, before any work, that the Hub is reached and knows the token, and whose repository it is.

        Raises:
            ConfigurationError: there is no token, or it is of somebody else.
            NetworkError: the Hub is not reached, or refuses the token.
        """
        from huggingface_hub import HfApi, get_token

        if get_token() is None:
            raise ConfigurationError(f"nobody is logged in to push to {self.repo}: {_HOW}")
        with _hub_errors(f"{self.repo} cannot be pushed to"):
            who = HfApi().whoami()
        owners = [str(who["name"]), *(str(org["name"]) for org in who.get("orgs", ()))]
        if self.repo.split("/")[0] not in owners:
            raise ConfigurationError(
                f"{self.repo} is not yours to push to: the token is of {owners[0]}, who can write to "
                f"{', '.join(owners)}"
            )

    def upload(self, folder: Path) -> str:
        """Make the repository if it is not there, upload the folder, and return the repository's address.

        Raises:
            ModelError: there is no such folder.
            NetworkError: that failed; the message has the command that does it later.
        """
        from huggingface_hub import HfApi

        if not folder.is_dir():
            raise ModelError(f"{folder} is not there: no such model was exported, so nothing is pushed to {self.repo}")
        privacy = ["--private"] if self.private else []
        later = shlex.join(["hf", "upload", self.repo, str(folder), ".", *privacy])
        with _hub_errors(f"{folder} is complete, but was not pushed", remedy=f": push it later by `{later}`"):
            address = HfApi().create_repo(self.repo, private=self.private, exist_ok=True)
            HfApi().upload_folder(repo_id=self.repo, folder_path=folder, commit_message="Upload a model by dfwe")
        return str(address)


def push_option(repo: str | None, *, is_public: bool) -> Push | None:
    """Return where `--push-to` says that a folder goes; None without it.

    Raises:
        ConfigurationError: it cannot be a repository's name.
    """
    if repo is None and is_public:
        raise ConfigurationError("--public is for a repository: name it by --push-to USER/NAME")
    if repo is not None and not is_repository(repo):
        raise ConfigurationError(f"--push-to {repo}: expected a repository on the Hub, as user/name")
    return None if repo is None else Push(repo, private=not is_public)


@contextmanager
def _hub_errors(what: str, *, remedy: str = "") -> Iterator[None]:
    """Turn whatever goes wrong on the way to the Hub, or there, into one line."""
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # of whichever client it has

    try:
        yield
    except (HTTPError, OSError) as error:
        reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise NetworkError(f"{what} ({reason.rstrip('.')}){remedy}") from error
