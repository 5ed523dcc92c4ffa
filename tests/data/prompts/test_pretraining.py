import pytest

from dfwe.data.prompts.pretraining import LastWords, NextWord, PhraseContinuation

DIALOGUE = {
    "dialogue_id": "d1",
    "dialogue": [
        {"speakers": ["Joey Marsh"], "utterance": "I feel giddy and glad."},
        {"speakers": ["Monica Hale"], "utterance": "The lamp was lost by Walt."},
        {"speakers": ["Joey Marsh"], "utterance": "I am livid and angry. It is noon."},
    ],
}
WHOLE = (
    "context: Joey Marsh: I feel giddy and glad. Monica Hale: The lamp was lost by Walt. "
    "Joey Marsh: I am livid and angry. It is noon."
)


def asked(prompt, *, max_words=0, seed=0):
    return list(prompt.instances(DIALOGUE, max_words=max_words, seed=seed))


def by_source(prompt):
    return {one.source: one.targets for one in asked(prompt)}


def test_continue_asks_for_the_word_behind_the_cut():
    prompt = NextWord(task="next", num_questions=9, markers=["and"])
    cut = "context: Joey Marsh: I feel giddy and glad. Monica Hale: The lamp was lost by Walt. Joey Marsh: I am livid."
    assert by_source(prompt) == {
        "context: Joey Marsh: I feel giddy. and:": ("glad",),
        f"{cut} and:": ("angry",),
    }


def test_goes_on_asks_for_the_words_behind_a_phrase():
    found = by_source(PhraseContinuation(task="goes", num_questions=99, num_words=2, num_next=3))
    assert found[f"{WHOLE} after 'The lamp' comes"] == ("was lost by",)
    assert found[f"{WHOLE} after 'lost by' comes"] == ("Walt",)
    assert f"{WHOLE} after 'by Walt' comes" not in found


def test_goes_on_leaves_out_phrases_that_occur_twice():
    twice = {"dialogue_id": "d", "dialogue": [{"speakers": ["Joey"], "utterance": "a b c a b d"}]}
    prompt = PhraseContinuation(task="goes", num_questions=99, num_words=2, num_next=1)
    asked_about = {one.prompt for one in prompt.instances(twice, max_words=0, seed=0)}
    assert asked_about == {" after 'b c' comes", " after 'c a' comes"}


def test_last_words_are_those_of_the_last_turn_of_the_speaker():
    assert by_source(LastWords(task="last", num_questions=9, num_words=3)) == {
        f"{WHOLE} Joey ends with:": ("It is noon",),
        f"{WHOLE} Monica ends with:": ("lost by Walt",),
    }


PROMPTS = [
    NextWord(task="next", num_questions=1, markers=["and"]),
    PhraseContinuation(task="goes", num_questions=1, num_words=2, num_next=3),
    LastWords(task="last", num_questions=1, num_words=3),
]


@pytest.mark.parametrize("prompt", PROMPTS)
def test_outside_tasks_depend_on_the_seed(prompt):
    assert asked(prompt, seed=3) == asked(prompt, seed=3)
    assert len(asked(prompt, seed=3)) == 1


@pytest.mark.parametrize("prompt", PROMPTS)
def test_another_seed_asks_something_else(prompt):
    assert len({asked(prompt, seed=seed)[0].source for seed in range(20)}) > 1


def test_the_context_is_cut_by_whole_turns():
    found = asked(LastWords(task="last", num_questions=9, num_words=3), max_words=12)
    assert {one.context for one in found} == {"context: Joey Marsh: I am livid and angry. It is noon."}


def test_instance_ids_are_numbered():
    found = asked(PhraseContinuation(task="goes", num_questions=3, num_words=2, num_next=3))
    assert [one.instance_id for one in found] == ["d1_0", "d1_1", "d1_2"]
    assert {one.dialogue_id for one in found} == {"d1"}
