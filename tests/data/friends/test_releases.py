"""The table of releases."""

import hashlib
from pathlib import Path

import pytest

from dfwe.data.friends.releases import RELEASES, TLIDB

RAW = Path(__file__).parents[4] / "shared" / "data" / "friends" / "raw"


def test_releases_have_distinct_paths_and_commits():
    assert len({release.path for release in RELEASES}) == len(RELEASES) == 33
    for release in RELEASES:
        host, commit = release.url.split("/")[2], release.url.split("/")[5]
        assert host == "raw.githubusercontent.com"
        assert len(commit) == 40
        assert release.path.rpartition("/")[2] == release.url.rpartition("/")[2]


def test_what_has_no_digest_is_optional():
    assert sum(release.optional for release in RELEASES) == 12
    assert TLIDB.optional
    assert all(release.sha256 is None or len(bytes.fromhex(release.sha256)) == 32 for release in RELEASES)


@pytest.mark.skipif(not RAW.is_dir(), reason=f"the original releases are not in {RAW}")
def test_the_digests_are_those_of_the_files():
    required = [release for release in RELEASES if not release.optional]
    for release in required:
        assert hashlib.sha256((RAW / release.path).read_bytes()).hexdigest() == release.sha256, release.path
    found = {path.relative_to(RAW).as_posix() for path in RAW.rglob("*") if path.is_file()}
    assert found == {release.path for release in required}
