"""Which of the sources a study takes."""

import pytest

from dfwe.errors import ConfigurationError
from dfwe.studies.plan import load_plan
from dfwe.studies.sources import subset_by_number

SIX = {name: name.upper() for name in "fedcba"}


def subset(size=3, number=0, order="names", seed=0):
    return {"size": size, "number": number, "order": order, "seed": seed}


def test_without_a_number_all_are_taken_as_they_come():
    assert list(subset_by_number(SIX, subset=subset(number=None))) == list("fedcba")


@pytest.mark.parametrize(("number", "names"), [(0, "abc"), (1, "abd"), (9, "aef"), (10, "bcd"), (19, "def")])
def test_the_triples_of_six_are_counted_in_the_order_of_their_names(number, names):
    assert subset_by_number(SIX, subset=subset(number=number)) == {name: name.upper() for name in names}


def test_twenty_numbers_give_the_twenty_triples():
    triples = {tuple(subset_by_number(SIX, subset=subset(number=number))) for number in range(20)}
    assert len(triples) == 20


def test_a_drawn_order_has_each_subset_once_and_then_starts_again():
    drawn = [tuple(subset_by_number(SIX, subset=subset(2, number, "drawn"))) for number in range(16)]
    assert len(set(drawn[:15])) == 15
    assert drawn[15] == drawn[0]
    assert drawn[:15] != sorted(drawn[:15])


def test_a_drawn_order_depends_on_its_seed_alone():
    of = [[tuple(subset_by_number(SIX, subset=subset(2, k, "drawn", seed))) for k in range(15)] for seed in (0, 0, 1)]
    assert of[0] == of[1]
    assert of[0] != of[2]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"size": 7}, "subset.size must be 1 to 6, the number of sources, not 7"),
        ({"size": 0}, "subset.size must be 1 to 6"),
        ({"number": 20}, "subset.number must be 0 to 19, as 6 sources have 20 subsets of 3, not 20"),
        ({"number": -1, "order": "drawn"}, "subset.number must be 0 to 19"),
    ],
)
def test_a_subset_that_there_is_not_is_an_error(wrong, message):
    with pytest.raises(ConfigurationError, match=message):
        subset_by_number(SIX, subset=subset(**wrong))


def test_shots_may_name_a_source_outside_the_subset(small, tmp_path):
    for name in ("personality", "emory_emotion"):
        config = small(tmp_path, "subset.size=1", "subset.number=0", f"data.shots={{{name}: 4, others: all}}")
        load_plan(config, reads_data=False)
    with pytest.raises(ConfigurationError, match="data.shots names 'typo', which is no task of this study"):
        load_plan(small(tmp_path, "data.shots={typo: 4}"), reads_data=False)
