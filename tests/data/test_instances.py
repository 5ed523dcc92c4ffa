import pytest

from dfwe.data.instances import collect
from dfwe.data.prompts.emotion import Emotion
from dfwe.data.prompts.question_answering import QuestionAnswering
from dfwe.data.readers.tlidb import Tlidb
from dfwe.data.shots import ALL, Shots
from dfwe.errors import DataError

EMOTION = Emotion(task="MELD_emotion_recognition", labels=("fear", "joy", "sadness"))


def test_instances_come_in_the_order_of_the_file(write, data):
    corpus = Tlidb(write(data)).read()
    instances = collect(corpus, prompt=EMOTION, split="train", max_words=0, seed=0, shots=ALL)
    assert [(one.dialogue_id, one.targets) for one in instances] == [
        ("d3", ("sadness",)),
        ("d3", ("joy",)),
        ("d1", ("sadness",)),
        ("d1", ("joy",)),
    ]


def test_only_listed_dialogues_are_asked_about(write, data):
    corpus = Tlidb(write(data, train=["d1"])).read()
    instances = collect(corpus, prompt=EMOTION, split="train", max_words=0, seed=0, shots=ALL)
    assert {one.dialogue_id for one in instances} == {"d1"}


def test_a_split_without_the_task_is_an_error_that_names_both_and_the_folder(write, data):
    root = write(data)
    corpus = Tlidb(root).read()
    prompt = QuestionAnswering(task="question_answering")
    with pytest.raises(DataError, match=f"the dev split of {root}.* has no instance of question_answering in its 1"):
        collect(corpus, prompt=prompt, split="dev", max_words=0, seed=0, shots=ALL)


def test_a_draw_that_leaves_nothing_is_said_with_what_it_drew_from(write, data):
    corpus = Tlidb(write(data)).read()
    with pytest.raises(DataError, match=r"in its 0 dialogues \(data.shots=0.1 draws these of 2\)"):
        collect(corpus, prompt=EMOTION, split="train", max_words=0, seed=0, shots=Shots(0.1, seed=2530))


def test_a_number_of_shots_is_of_instances(write, data):
    corpus = Tlidb(write(data)).read()
    instances = collect(corpus, prompt=EMOTION, split="train", max_words=0, seed=0, shots=Shots(3, seed=1))
    assert len(instances) == 3
