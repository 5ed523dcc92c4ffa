"""The store's command: what is there, whether it is whole, and what goes."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from dfwe.store.card import FORMAT, Card
from dfwe.store.command import main
from dfwe.store.inventory import warn_of_older
from dfwe.store.prune import Limits, prune
from dfwe.store.store import Store

DAY = 86_400


def make(root, name, *, days=0.0, size=1000, store=None):
    """A result of that age in days and size in bytes."""

    def write(folder):
        (folder / "weights.txt").write_bytes(b"w" * size)
        return {}, ("weights.txt",)

    folder = (
        (store or Store(root))
        .get_or_make("train", spec={"name": name, "seed": 1}, make=write, title=f"expert {name}")
        .folder
    )
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


YES = ("--yes", "--above-half")


def test_prune_deletes_what_is_older(tmp_path, capsys):
    old, young = make(tmp_path, "old", days=8), make(tmp_path, "young", days=1)
    assert main(["prune", "--store", str(tmp_path), "--older-than", "7", *YES]) == 0
    assert (old.exists(), young.exists()) == (False, True)
    assert "1 result deleted" in capsys.readouterr().out


def test_prune_deletes_what_is_larger(tmp_path):
    large, small = make(tmp_path, "large", size=5000), make(tmp_path, "small", size=10)
    main(["prune", "--store", str(tmp_path), "--larger-than", "0.000004", *YES])
    assert (large.exists(), small.exists()) == (False, True)


def test_prune_deletes_the_oldest_until_the_rest_is_small_enough(tmp_path):
    folders = [make(tmp_path, f"day {days}", days=days, size=100_000) for days in (3, 1, 2)]
    main(["prune", "--store", str(tmp_path), "--keep-size", "0.00015", *YES])
    assert [folder.exists() for folder in folders] == [False, True, False]


def test_what_is_in_use_frees_nothing(tmp_path):
    folders = [make(tmp_path, f"day {days}", days=days, size=100_000) for days in (3, 1, 2)]
    store = Store(tmp_path)
    assert store.find("train", spec={"name": "day 3", "seed": 1}) is not None
    main(["prune", "--store", str(tmp_path), "--keep-size", "0.00025", *YES])
    assert [folder.exists() for folder in folders] == [True, True, False]


def test_a_store_in_the_home_folder_is_found(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    make(tmp_path / "s", "mine")
    assert main(["list", "--store=~/s"]) == 0
    assert "expert mine" in capsys.readouterr().out


def test_prune_leaves_folders_that_are_no_results(tmp_path):
    (mine := tmp_path / "my-thesis").mkdir()
    age(mine, days=100)
    main(["prune", "--store", str(tmp_path), "--older-than", "7", *YES])
    assert mine.exists()


def test_a_dry_run_deletes_nothing(tmp_path, capsys):
    old = make(tmp_path, "old", days=8)
    main(["prune", "--store", str(tmp_path), "--older-than", "7", "--dry-run"])
    assert old.exists()
    assert "1 result would be deleted" in capsys.readouterr().out


def test_prune_leaves_what_a_living_store_found_made_or_counts_on(tmp_path, capsys):
    old, store = make(tmp_path, "old", days=8), Store(tmp_path)
    assert store.find("train", spec={"name": "old", "seed": 1}) is not None
    store.reserve([f"train-{'0' * 16}"])
    (planned := tmp_path / f"train-{'0' * 16}.partial").mkdir()
    age(planned, days=8)
    main(["prune", "--store", str(tmp_path), "--older-than", "7", *YES])
    assert old.exists()
    assert planned.exists()
    assert "2 results, 0.000 GB stay: a process uses them" in capsys.readouterr().out
    del store
    main(["prune", "--store", str(tmp_path), "--older-than", "7", *YES])
    assert not old.exists()
    assert not planned.exists()


def test_a_killed_process_uses_nothing_any_more(tmp_path):
    old = make(tmp_path, "old", days=8)
    code = (
        "import sys; from pathlib import Path; from dfwe.store.store import Store; store = Store(Path(sys.argv[1]));"
        "store.reserve([sys.argv[2]]); print('uses', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path), old.name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "uses\n"
        main(["prune", "--store", str(tmp_path), "--older-than", "7", *YES])
        assert old.exists()
        process.kill()
    main(["prune", "--store", str(tmp_path), "--older-than", "7", *YES])
    assert not old.exists()


@pytest.mark.parametrize(
    ("arguments", "message"), [(["list"], "nowhere is not there: set --store"), (["prune"], "nothing says what")]
)
def test_a_mistake_is_one_line(tmp_path, capsys, arguments, message):
    folder = tmp_path if arguments == ["prune"] else tmp_path / "nowhere"
    assert main([*arguments, "--store", str(folder)]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--older-than", "--larger-than", "--keep-size"])
@pytest.mark.parametrize("value", ["-30", "-1", "nan", "inf", "-inf"])
def test_a_limit_that_cannot_be_meant_deletes_nothing(tmp_path, capsys, option, value):
    old = make(tmp_path, "old", days=8)
    assert main(["prune", "--store", str(tmp_path), f"{option}={value}", *YES]) == 2
    assert f"{option} must be a number that is 0 or more" in capsys.readouterr().err
    assert old.exists()


@pytest.mark.parametrize(
    ("num_old", "options", "code"),
    [(1, [], 2), (1, ["--yes"], 0), (2, ["--yes"], 2), (2, ["--yes", "--above-half"], 0), (2, ["--above-half"], 2)],
)
def test_where_nobody_is_there_to_ask_options_must_tell(tmp_path, capsys, num_old, options, code):
    folders = [make(tmp_path, f"old {number}", days=8) for number in range(num_old)]
    young = [make(tmp_path, f"young {number}") for number in range(3 - num_old)]
    assert main(["prune", "--store", str(tmp_path), "--older-than", "7", *options]) == code
    said = capsys.readouterr()
    assert f"{num_old} result{'s' if num_old > 1 else ''} would be deleted" in said.out
    assert all(folder.name in said.out for folder in folders)
    assert [folder.exists() for folder in folders] == [code == 2] * num_old
    assert all(folder.exists() for folder in young)
    assert ("nothing was deleted" in said.err) == (code == 2)


@pytest.mark.parametrize(
    ("num_old", "answer", "goes"),
    [(1, "y", True), (1, "", False), (1, "n", False), (2, "y", False), (2, "delete", True), (2, "", False)],
)
def test_a_person_is_asked_and_types_the_word_for_more_than_half(tmp_path, capsys, monkeypatch, num_old, answer, goes):
    folders = [make(tmp_path, f"old {number}", days=8) for number in range(num_old)]
    for number in range(3 - num_old):
        make(tmp_path, f"young {number}")
    asked = []
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or answer)
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    assert main(["prune", "--store", str(tmp_path), "--older-than", "7"]) == (0 if goes else 2)
    assert [folder.exists() for folder in folders] == [not goes] * num_old
    assert ("Type delete" in asked[0]) == (num_old == 2)


def test_what_grew_old_after_the_question_stays(tmp_path):
    old, other = make(tmp_path, "old", days=8), make(tmp_path, "other", days=8)
    assert prune(tmp_path, limits=Limits(older_than=7.0), dry_run=False, only={old}).gone[0].folder == old
    assert other.exists()


ODD_CARDS = {
    "NaN": lambda path: path.write_text(path.read_text().replace('"seed": 1', '"seed": NaN')),
    "nested": lambda path: path.write_text("[" * 10_000),
    "no object": lambda path: path.write_text("[]"),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "missing": lambda path: path.unlink(),
    "spec is a text": lambda path: path.write_text(json.dumps(json.loads(path.read_text()) | {"spec": "x"})),
    "files are a list": lambda path: path.write_text(json.dumps(json.loads(path.read_text()) | {"files": [1]})),
    "files have no size": lambda path: path.write_text(json.dumps(json.loads(path.read_text()) | {"files": {"a": 1}})),
}


@pytest.mark.parametrize("odd", ODD_CARDS)
def test_an_odd_card_is_one_entry_and_the_others_work(tmp_path, capsys, odd):
    bad, good = make(tmp_path, "bad", days=2), make(tmp_path, "good", days=8)
    ODD_CARDS[odd](bad / "card.json")
    assert main(["list", "--store", str(tmp_path)]) == 0
    listed = {line.split()[0]: line.split()[1] for line in capsys.readouterr().out.splitlines()}
    assert (listed[bad.name], listed[good.name]) == ("damaged", "finished")
    assert main(["verify", "--store", str(tmp_path)]) == 2
    assert f"damaged: {bad.name};" in capsys.readouterr().err
    assert main(["prune", "--store", str(tmp_path), "--older-than", "7", *YES]) == 0
    assert (bad.exists(), good.exists()) == (True, False)
    assert make(tmp_path, "bad") == bad  # a study sets it aside and makes it again


def test_a_link_is_listed_and_left_alone(tmp_path, capsys):
    good = make(tmp_path, "good", days=8)
    (elsewhere := tmp_path / "elsewhere").mkdir()
    (elsewhere / "thesis.tex").touch()
    links = [tmp_path / f"train-{digit * 16}" for digit in "ab"]
    links[0].symlink_to(elsewhere)
    links[1].symlink_to("nowhere")
    assert main(["list", "--store", str(tmp_path)]) == 0
    assert capsys.readouterr().out.count("a link, which is left alone") == 2
    assert main(["prune", "--store", str(tmp_path), "--older-than", "0", *YES]) == 0
    assert not good.exists()
    assert all(link.is_symlink() for link in links)
    assert (elsewhere / "thesis.tex").exists()
    assert not list(tmp_path.glob("*.gone"))


def test_a_result_of_a_newer_version_is_named_and_left_alone(tmp_path, capsys):
    newer = make(tmp_path, "newer", days=8)
    card = json.loads((newer / "card.json").read_text())
    (newer / "card.json").write_text(json.dumps(card | {"format": card["format"] + 1, "sha256": "x"}))
    age(newer, days=8)
    assert main(["list", "--store", str(tmp_path)]) == 0
    assert "newer" in capsys.readouterr().out
    assert main(["verify", "--store", str(tmp_path)]) == 0
    assert "was made by a newer version of dfwe" in capsys.readouterr().out
    assert main(["prune", "--store", str(tmp_path), "--older-than", "7", *YES]) == 0
    assert newer.exists()


def of_older_format(root, name):
    folder = make(root, name)
    replace(Card.read(folder), format=FORMAT - 1).write(folder)
    return folder


def test_older_format_is_listed_and_pruned_by_its_option(tmp_path, capsys):
    old, new = of_older_format(tmp_path, "old"), make(tmp_path, "new")
    assert main(["list", "--store", str(tmp_path)]) == 0
    assert capsys.readouterr().out.count(" older ") == 1
    assert main(["verify", "--store", str(tmp_path)]) == 0
    assert main(["prune", "--store", str(tmp_path), "--older-format", "--yes"]) == 0
    assert not old.exists()
    assert new.exists()


def test_older_format_is_warned_of_once(tmp_path, caplog):
    of_older_format(tmp_path, "old")
    make(tmp_path, "new")
    warn_of_older(tmp_path)
    warn_of_older(tmp_path)
    (warning,) = caplog.messages
    assert "holds 1 result of an older version" in warning
    assert f"prune --older-format --store {tmp_path}" in warning


@pytest.mark.parametrize("root", ["missing", "new"])
def test_no_older_format_no_warning(root, tmp_path, caplog):
    make(tmp_path / "new", "new")
    warn_of_older(tmp_path / root)
    assert not caplog.messages


def test_a_store_that_is_a_file_is_one_line(tmp_path, capsys):
    (tmp_path / "file").touch()
    for command in (["list"], ["verify"], ["prune", "--older-than", "1"]):
        assert main([*command, "--store", str(tmp_path / "file")]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "file" in line


def test_escape_sequences_of_a_title_never_reach_the_terminal(tmp_path, capsys):
    Store(tmp_path).get_or_make("train", spec={}, make=lambda folder: ({}, ()), title="\x1b[2Jx")
    main(["list", "--store", str(tmp_path)])
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize("columns", [60, 80])
def test_a_list_fits_a_terminal_and_is_a_line_each_in_a_pipe(tmp_path, capsys, monkeypatch, columns):
    title = "expert " + "x" * 40
    Store(tmp_path).get_or_make("statistics", spec={}, make=lambda folder: ({}, ()), title=title)
    main(["list", "--store", str(tmp_path)])
    assert len(capsys.readouterr().out.splitlines()) == 2
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", str(columns))
    main(["list", "--store", str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= columns
    assert lines[1] == f"  {title}"
