"""The store's command: what is there, whether it is whole, and what goes."""

import os
import subprocess
import sys
import time

import pytest

from dfwe.store.__main__ import main
from dfwe.store.store import Store

DAY = 86_400


def make(root, name, *, days=0.0, size=1000, store=None):
    """A result of that age in days and size in bytes."""

    def write(folder):
        (folder / "weights.txt").write_bytes(b"w" * size)
        return {}, ("weights.txt",)

    folder = (store or Store(root)).made("train", spec={"name": name}, make=write, title=f"expert {name}").folder
    age(folder, days=days)
    return folder


def age(folder, *, days):
    then = time.time() - days * DAY
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (then, then))


def test_list_says_of_each_result_what_it_is_the_oldest_first(tmp_path, capsys):
    young, old = make(tmp_path, "young", days=1, size=2_000_000), make(tmp_path, "old", days=3)
    assert main(["list", "--store", str(tmp_path)]) == 0
    first, second, total = capsys.readouterr().out.splitlines()
    assert first.split() == [old.name, "finished", "0.0", "MB", "3.0", "days", "expert", "old"]
    assert second.split() == [young.name, "finished", "2.0", "MB", "1.0", "days", "expert", "young"]
    assert total == "2 results, 0.002 GB"


def test_verify_names_the_damaged_file_and_ends_with_2(tmp_path, capsys):
    make(tmp_path, "a")
    assert main(["verify", "--store", str(tmp_path)]) == 0
    assert "every file is what was stored" in capsys.readouterr().out
    (make(tmp_path, "b") / "weights.txt").write_text("other")
    assert main(["verify", "--store", str(tmp_path)]) == 2
    assert "weights.txt is not what was stored" in capsys.readouterr().out


def test_prune_deletes_what_is_older(tmp_path, capsys):
    old, young = make(tmp_path, "old", days=8), make(tmp_path, "young", days=1)
    assert main(["prune", "--store", str(tmp_path), "--older-than", "7"]) == 0
    assert (old.exists(), young.exists()) == (False, True)
    assert "1 results deleted" in capsys.readouterr().out


def test_prune_deletes_what_is_larger(tmp_path):
    large, small = make(tmp_path, "large", size=5000), make(tmp_path, "small", size=10)
    main(["prune", "--store", str(tmp_path), "--larger-than", "0.000004"])
    assert (large.exists(), small.exists()) == (False, True)


def test_prune_deletes_the_oldest_until_the_rest_is_small_enough(tmp_path):
    folders = [make(tmp_path, f"day {days}", days=days, size=100_000) for days in (3, 1, 2)]
    main(["prune", "--store", str(tmp_path), "--keep-size", "0.00015"])
    assert [folder.exists() for folder in folders] == [False, True, False]


def test_prune_leaves_folders_that_are_no_results(tmp_path):
    (mine := tmp_path / "my-thesis").mkdir()
    age(mine, days=100)
    main(["prune", "--store", str(tmp_path), "--older-than", "7"])
    assert mine.exists()


def test_a_dry_run_deletes_nothing(tmp_path, capsys):
    old = make(tmp_path, "old", days=8)
    main(["prune", "--store", str(tmp_path), "--older-than", "7", "--dry-run"])
    assert old.exists()
    assert "1 results would be deleted" in capsys.readouterr().out


def test_prune_leaves_what_a_living_store_found_made_or_counts_on(tmp_path, capsys):
    old, store = make(tmp_path, "old", days=8), Store(tmp_path)
    assert store.find("train", spec={"name": "old"}) is not None
    store.use([f"train-{'0' * 16}"])
    (planned := tmp_path / f"train-{'0' * 16}.partial").mkdir()
    age(planned, days=8)
    main(["prune", "--store", str(tmp_path), "--older-than", "7"])
    assert old.exists()
    assert planned.exists()
    assert "2 results stay: a process uses them" in capsys.readouterr().out
    del store
    main(["prune", "--store", str(tmp_path), "--older-than", "7"])
    assert not old.exists()
    assert not planned.exists()


def test_a_killed_process_uses_nothing_any_more(tmp_path):
    old = make(tmp_path, "old", days=8)
    code = (
        "import sys; from pathlib import Path; from dfwe.store.store import Store; store = Store(Path(sys.argv[1]));"
        "store.use([sys.argv[2]]); print('uses', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path), old.name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "uses\n"
        main(["prune", "--store", str(tmp_path), "--older-than", "7"])
        assert old.exists()
        process.kill()
    main(["prune", "--store", str(tmp_path), "--older-than", "7"])
    assert not old.exists()


@pytest.mark.parametrize(("arguments", "message"), [(["list"], "there is no store"), (["prune"], "nothing says what")])
def test_a_mistake_is_one_line(tmp_path, capsys, arguments, message):
    folder = tmp_path if arguments == ["prune"] else tmp_path / "nowhere"
    assert main([*arguments, "--store", str(folder)]) == 2
    assert message in capsys.readouterr().err
