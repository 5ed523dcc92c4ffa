"""Files are written whole, readable as the umask says, and never over what is not ours."""

import errno
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dfwe.errors import DataError, OutputError
from dfwe.io.files import make_folder, new_folder, output_errors, replacing, replacing_folder, write_json, write_text


@pytest.fixture(params=[0o022, 0o077, 0o002])
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def fail_after(_, error):
    raise error


def test_write_text_keeps_line_ends_and_leaves_no_other_file(tmp_path):
    write_text(tmp_path / "a.txt", "old")
    write_text(tmp_path / "a.txt", "ä\r\n\n")
    assert (tmp_path / "a.txt").read_bytes() == "ä\r\n\n".encode()
    assert names(tmp_path) == ["a.txt"]


def test_files_and_folders_follow_the_umask(tmp_path, umask):
    with replacing(tmp_path / "file") as temporary:
        temporary.write_text("secret no more")
        temporary.chmod(0o600)  # as safetensors does
    with replacing_folder(tmp_path / "folder") as folder:
        (folder / "inner").mkdir(mode=0o700)
        (folder / "inner" / "weights").touch(mode=0o600)
    assert mode(tmp_path / "file") == mode(tmp_path / "folder" / "inner" / "weights") == 0o666 & ~umask
    assert mode(tmp_path / "folder") == mode(tmp_path / "folder" / "inner") == 0o777 & ~umask


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    write_text(tmp_path / "a", "old")
    with pytest.raises(DataError, match="no"), replacing(tmp_path / "a") as temporary:
        fail_after(temporary.write_text("half"), DataError("no"))
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "old"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_one_line_with_the_files_name(tmp_path, number):
    with (
        pytest.raises(OutputError, match=r"^the disk is full at .*/a\.json: make"),
        replacing(tmp_path / "a.json"),
    ):
        raise OSError(number, os.strerror(number))
    assert names(tmp_path) == []


def test_a_full_disk_without_a_number_is_told_by_its_words(tmp_path):
    with pytest.raises(OutputError, match="the disk is full"), replacing(tmp_path / "a"):
        raise RuntimeError("I/O error: No space left on device (os error 28)")


def test_an_error_about_another_file_passes(tmp_path):
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "a"):
        (tmp_path / "not_there").read_text()
    with pytest.raises(BrokenPipeError), output_errors(tmp_path / "a"):
        raise BrokenPipeError(errno.EPIPE, "closed")


@pytest.mark.parametrize("write", [write_text, lambda path, text: make_folder(path / text)])
def test_a_part_of_the_path_that_is_a_file_is_one_line(tmp_path, write):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="is a file, not a folder: name another place"):
        write(tmp_path / "file" / "a", "text")


def test_a_folder_that_is_gone_is_one_line(tmp_path):
    with pytest.raises(OutputError, match="its folder is gone"):
        write_text(tmp_path / "gone" / "a", "text")


def test_a_folder_is_not_written_over(tmp_path):
    (tmp_path / "a").mkdir()
    for through in (False, True):
        with pytest.raises(OutputError, match="is a folder"):
            write_text(tmp_path / "a", "text", through=through)


def test_a_link_is_refused_or_followed_and_stays_a_link(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "link").symlink_to("far/file")  # leads to nothing yet
    with pytest.raises(OutputError, match="is a link"):
        write_json(tmp_path / "link", {})
    for text in ("first", "second"):
        write_text(tmp_path / "link", text, through=True)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "far" / "file").read_text() == text
    assert names(tmp_path / "far") == ["file"]


def test_a_pipe_is_refused_or_written_through_and_stays(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputError, match="is not a file"):
        write_text(tmp_path / "pipe", "text")
    with pytest.raises(OutputError, match="nobody reads from this pipe"):
        write_text(tmp_path / "pipe", "text", through=True)
    read = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_text()))
    reader.start()
    while reader.is_alive():
        try:
            write_text(tmp_path / "pipe", "text" * 100_000, through=True)
        except OutputError:  # the reader has not opened it yet
            continue
        reader.join(timeout=60)
    assert read == ["text" * 100_000]
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_device_is_written_through():
    null = Path("/dev/null")
    write_text(null, "text", through=True)
    assert stat.S_ISCHR(null.stat().st_mode)


def test_a_folder_without_our_mark_is_left_alone(tmp_path):
    (tmp_path / "merged").mkdir()
    (tmp_path / "merged" / "thesis.tex").touch()
    for mark in (None, "dfwe.json"):
        with pytest.raises(OutputError, match="was not made by dfwe"), replacing_folder(tmp_path / "merged", mark=mark):
            pytest.fail("nothing is to be made")
    assert names(tmp_path / "merged") == ["thesis.tex"]


def test_a_folder_of_ours_is_replaced_whole(tmp_path):
    for name in ("old", "new"):
        with replacing_folder(tmp_path / "merged", mark="dfwe.json") as folder:
            (folder / "dfwe.json").touch()
            (folder / name).touch()
    assert names(tmp_path / "merged") == ["dfwe.json", "new"]
    assert names(tmp_path) == ["merged"]


def test_a_failed_folder_leaves_what_users_have_beside_it(tmp_path):
    (tmp_path / "out.partial").mkdir()
    (tmp_path / "out.tmp").mkdir()
    with pytest.raises(OutputError, match="the disk is full"), replacing_folder(tmp_path / "out") as folder:
        fail_after((folder / "half").touch(), OSError(errno.ENOSPC, "No space left on device"))
    assert names(tmp_path) == ["out.partial", "out.tmp"]


def test_new_folders_of_many_threads_are_all_different(tmp_path):
    found = []
    threads = [threading.Thread(target=lambda: found.append(new_folder(tmp_path / "d" / "run"))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {path.name for path in found} == {"run", *(f"run_{number}" for number in range(2, 17))}


MOUNTED = """
import subprocess, sys
from pathlib import Path
from dfwe.errors import OutputError
from dfwe.io.files import replacing_folder, write_text
from dfwe.results.run_folder import create_run_folder

place = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", place], check=True)
run = create_run_folder(place / "run", is_new=True)  # there is room for what a run needs at least
for write in (lambda: write_text(run / "results.json", "x" * 500_000), lambda: weights(run / "merged")):
    try:
        write()
    except OutputError as error:
        print(error)
print(sorted(path.name for path in run.iterdir()))
subprocess.run(["mount", "-o", "remount,ro", place], check=True)
for is_new in (False, True):
    try:
        create_run_folder(place / "run", is_new=is_new)
    except OutputError as error:
        print(error)
"""
WEIGHTS = """
def weights(path):
    with replacing_folder(path) as folder:
        for number in range(100):
            (folder / str(number)).write_bytes(bytes(10_000))
"""


def test_a_small_and_a_read_only_disk_are_one_line_each(tmp_path):
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
        pytest.skip("a small file system needs a mount, and none is allowed here")
    command = ["unshare", "-rm", sys.executable, "-c", WEIGHTS + MOUNTED, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    advice = "make room there, or name another place, and repeat the command"
    assert done.stdout.splitlines() == [
        f"the disk is full at {tmp_path}/run/results.json: {advice}",
        f"the disk is full at {tmp_path}/run/merged: {advice}",
        "[]",
        f"{tmp_path}/run cannot be written: the file system is read-only: name another place",
        f"{tmp_path}/run cannot be written: the file system is read-only: name another place",
    ]
