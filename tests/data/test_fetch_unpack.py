"""Zips, and zips that try to do harm."""

import stat
import zipfile

import pytest

from dfwe.data import fetch as module
from dfwe.data.fetch import unpack
from dfwe.errors import DataError


@pytest.fixture
def zipped(tmp_path):
    """A function from names (or ZipInfos) and contents to a zip."""

    def archive(*entries):
        path = tmp_path / "a.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for name, content in entries:
                file.writestr(name, content)
        return path

    return archive


def link(name):
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


def test_unpack_keeps_folders(zipped, tmp_path):
    files = unpack(zipped(("top/", ""), ("top/a.txt", "one"), ("b.txt", "two")), folder=tmp_path / "out")
    assert [file.relative_to(tmp_path / "out").as_posix() for file in files] == ["top/a.txt", "b.txt"]
    assert [file.read_text() for file in files] == ["one", "two"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../out.txt", "would leave"),
        ("top/../../out.txt", "would leave"),
        ("..\\out.txt", "would leave"),
        ("/etc/out.txt", "would leave"),
        ("C:\\out.txt", "would leave"),
        (link("a"), "is a link"),
        ("fine.txt", "two files of one path"),
        ("fine.txt/below.txt", "two files of one path"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_unpack_harmful_zip_raises_and_writes_nothing(zipped, tmp_path, name, message):
    path = zipped(("fine.txt", "fine"), (name, "target"))
    with pytest.raises(DataError, match=f"{message}.*nothing was unpacked"):
        unpack(path, folder=tmp_path / "out")
    assert sorted(each.name for each in tmp_path.rglob("*")) == ["a.zip"]


def test_unpack_path_through_existing_link_raises(zipped, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out" / "top").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="would leave"):
        unpack(zipped(("top/a.txt", "x")), folder=tmp_path / "out")
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize(("name", "limit"), [("_MAX_BYTES", 100_000), ("_MAX_FILES", 1)])
def test_unpack_zip_bomb_raises(zipped, tmp_path, monkeypatch, name, limit):
    monkeypatch.setattr(module, name, limit)
    with pytest.raises(DataError, match="holds 2 files of 200000 bytes, more than"):
        unpack(zipped(("a", b"0" * 100_000), ("b", b"0" * 100_000)), folder=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_unpack_wrong_declared_size_raises(zipped, tmp_path):
    path = zipped(("a", b"0" * 100_000))
    data = path.read_bytes()
    path.write_bytes(data.replace((100_000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    with pytest.raises(DataError, match="is damaged"):
        unpack(path, folder=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_unpack_damaged_zip_raises(zipped, tmp_path):
    path = zipped(("a.txt", "some words, some words, and more words"))
    whole = bytearray(path.read_bytes())
    whole[40] ^= 0xFF
    path.write_bytes(whole)
    with pytest.raises(DataError, match=r"a\.zip.*delete"):
        unpack(path, folder=tmp_path / "out")
    path.write_text("no zip")
    with pytest.raises(DataError, match="is not a readable zip"):
        unpack(path, folder=tmp_path / "out")
