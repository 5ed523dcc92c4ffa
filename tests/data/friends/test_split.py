import json

import pytest

from dfwe.data.few_shot import reference_split
from dfwe.data.friends.split import OfficialSplit, few_shot_lists, read_official_split, split_dialogues
from dfwe.errors import DataError
from dfwe.records import SPLITS

LONG = "The grey harbour keeps nine wooden boats here."  # 8 words


def dialogue(name, *texts):
    return {"dialogue_id": name, "dialogue": [{"speakers": [], "utterance": text} for text in texts]}


def many(number, **texts):
    return [dialogue(name, texts.get(name, f"Only {name}.")) for name in (f"d{k:03d}" for k in range(number))]


def known(few_shot=(), **ids):
    listed = {split: frozenset(ids.get(split, ())) for split in SPLITS}
    return OfficialSplit(listed, {"train": frozenset(few_shot), "dev": frozenset()})


def split_of(split):
    return {i: name for name, ids in split.items() for i in ids}


def test_without_an_official_split_the_references_rule_holds():
    split, apart = split_dialogues(many(100), official=OfficialSplit())
    assert split == dict(reference_split([f"d{k:03d}" for k in range(100)]))
    assert [len(split[name]) for name in SPLITS] == [70, 15, 15]
    assert apart == 0


def test_known_dialogues_keep_their_split():
    official = known(train=["d001"], dev=["d002", "d003"], test=["d000", "elsewhere"])
    found = split_of(split_dialogues(many(50), official=official)[0])
    assert [found[f"d00{k}"] for k in range(4)] == ["test", "train", "dev", "dev"]
    assert sorted(found) == [f"d{k:03d}" for k in range(50)]


def test_every_dialogue_is_in_one_split_and_lists_are_sorted():
    split, _ = split_dialogues(many(97)[::-1], official=known(test=["d005"]))
    listed = [i for name in SPLITS for i in split[name]]
    assert sorted(listed) == [f"d{k:03d}" for k in range(97)]
    assert all(list(split[name]) == sorted(split[name]) for name in SPLITS)


@pytest.mark.parametrize("seed", range(5))
def test_dialogues_that_share_a_long_line_stay_together(seed):
    linked = {f"d{seed:03d}": LONG, f"d{seed + 40:03d}": LONG.upper(), f"d{seed + 60:03d}": f"{LONG}!"}
    found = split_of(split_dialogues(many(80, **linked), official=OfficialSplit())[0])
    assert len({found[name] for name in linked}) == 1


def test_a_chain_of_shared_lines_is_one_group():
    other = LONG.replace("boats", "rafts")
    dialogues = [*many(60), dialogue("x1", LONG), dialogue("x2", LONG, other), dialogue("x3", other)]
    found = split_of(split_dialogues(dialogues, official=OfficialSplit())[0])
    assert found["x1"] == found["x2"] == found["x3"]


def test_group_joins_official_dialogues_with_shared_lines():
    other = LONG.replace("boats", "rafts")
    dialogues = [dialogue("a", LONG, other), dialogue("b", LONG, other), dialogue("c", "No."), dialogue("e", LONG)]
    found = split_dialogues(dialogues, official=known(dev=["b"], train=["e"]))
    assert split_of(found[0])["a"] == "dev"
    assert found[1] == 2  # a and e, b and e


def test_a_short_line_binds_nobody():
    texts = {"d000": "Nine boats here.", "d001": "Nine boats here."}
    assert split_dialogues(many(60, **texts), official=OfficialSplit()) == split_dialogues(
        many(60), official=OfficialSplit()
    )


@pytest.mark.parametrize(("number", "apart"), [(3, 2), (4, 0)])
def test_a_line_of_more_than_three_dialogues_is_a_quotation(number, apart):
    dialogues = [dialogue(f"q{k}", LONG) for k in range(number)]
    official = known(test=["q0"], train=[f"q{k}" for k in range(1, number)])
    assert split_dialogues(dialogues, official=official)[1] == apart


def test_few_shot_lists_are_a_tenth_official_ids_first():
    split = {"train": tuple(f"t{k:02d}" for k in range(40)), "dev": tuple(f"v{k:02d}" for k in range(29)), "test": ()}
    lists = few_shot_lists(split, official=known(few_shot=["t07", "t11", "elsewhere"], train=split["train"][:30]))
    assert [len(lists[name]) for name in ("train", "dev")] == [4, 2]
    assert {"t07", "t11"} < set(lists["train"])
    # the others are of unknown split: the official ones that are not in the list are known not to be
    assert set(lists["train"]) - {"t07", "t11"} < set(split["train"][30:])
    assert set(lists["dev"]) < set(split["dev"])
    assert all(list(ids) == sorted(ids) for ids in lists.values())
    assert lists == few_shot_lists(split, official=known(few_shot=["t07", "t11"], train=split["train"][:30]))


def test_few_shot_lists_without_new_ids_take_official_ones():
    split = {"train": tuple(f"t{k:02d}" for k in range(20)), "dev": (), "test": ()}
    assert len(few_shot_lists(split, official=known(few_shot=["t01"], train=split["train"]))["train"]) == 2


def test_too_many_official_ids_are_cut():
    split = {"train": tuple(f"t{k:02d}" for k in range(20)), "dev": (), "test": ()}
    official = known(few_shot=split["train"][5:], train=split["train"])
    assert few_shot_lists(split, official=official)["train"] == ("t05", "t06")


@pytest.fixture
def read(tmp_path):
    def _read(content):
        path = tmp_path / "split.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return read_official_split(path)

    return _read


def test_a_split_file_is_read(read):
    found = read({"about": "x", "train": ["a", "b"], "dev": ["c"], "test": [], "few_shot_train": ["a"]})
    assert [found.of(i) for i in "abcd"] == ["train", "train", "dev", None]
    assert found.few_shot == {"train": {"a"}, "dev": frozenset()}


@pytest.mark.parametrize(
    "content",
    [
        {"train": [], "dev": []},
        {"train": "abc", "dev": [], "test": []},
        {"train": [1], "dev": [], "test": []},
        {"train": [["a"]], "dev": [], "test": []},
        {"train": [], "dev": [], "test": [], "few_shot_dev": None},
    ],
)
def test_a_file_that_is_no_split_is_an_error(read, content):
    with pytest.raises(DataError, match="must be a JSON object with the lists train, dev and test"):
        read(content)


def test_a_missing_split_file_is_an_error(tmp_path):
    with pytest.raises(DataError, match="is missing"):
        read_official_split(tmp_path / "split.json")


def test_a_dialogue_in_two_splits_is_an_error(read):
    with pytest.raises(DataError, match="lists dialogue 'b' in two splits"):
        read({"train": ["a", "b"], "dev": ["b"], "test": []})


def test_a_split_file_that_is_not_an_object_is_an_error(read):
    with pytest.raises(DataError, match="must hold a JSON object, not a list"):
        read([])
