"""Labels follow from the words: read back by a reader of its own that knows the world, not the generator."""

import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from dfwe.data.synthetic.sentences.frames import Noise
from dfwe.data.synthetic.sentences.lexicon import ADDITIONS, DEGREES, OPINIONS, WORLD, opposite, third_person
from dfwe.data.synthetic.sentences.tasks import RELATIONS, TASKS, TOPICS, WEIGHTS, frame_similarity

CONCEPTS = [one for slots in WORLD.values() for concepts in slots.values() for one in concepts]
MEANING = {word: concept for concept in CONCEPTS for word in concept.words}
MEANING |= {third_person(word): one for word, one in MEANING.items() if one.slot == "action"}
WORTH = {word: worth for worth, words in OPINIONS.items() for word in words}


def read(sentence):
    words = re.findall(r"[a-z]+", sentence.lower())
    return {MEANING[word].slot: MEANING[word] for word in words if word in MEANING}


def denied(sentence):
    return " not " in sentence or " never " in sentence


def rows(task, drawing, number=200):
    return [TASKS[task](drawing) for _ in range(number)]


def opinion(clause):
    *_, degree, word = clause.rstrip(".").split()
    return DEGREES.get(degree, 1.0) * WORTH[word]


def test_sentiment_weighs_opinions_after_but_twice(exact):
    for row in rows("sentiment", exact):
        first, *rest = re.split(r", (but|and) ", row["sentence"])
        worth = opinion(first)
        if rest:
            weight = 2 if rest[0] == "but" else 1
            worth = (worth + weight * opinion(rest[1])) / (1 + weight)
        assert int(row["sentiment"]) == min(max(round(worth) + 2, 0), 4)


def test_paraphrases_hold_the_same_concepts_in_all_slots(exact):
    drawn = rows("paraphrase", exact)
    for row in drawn:
        assert row["is_duplicate"] == str(int(read(row["sentence1"]) == read(row["sentence2"])))
    assert 0.3 < np.mean([row["is_duplicate"] == "1" for row in drawn]) < 0.5


def test_similarity_weighs_the_slots_that_agree(exact):
    for row in rows("similarity", exact):
        assert float(row["similarity"]) == pytest.approx(
            frame_similarity(read(row["sentence1"]), read(row["sentence2"])), abs=0.01
        )


def test_frame_similarity_counts_shared_topics():
    kitchen, travel = ({slot: WORLD[name][slot][0] for slot in WEIGHTS} for name in ("kitchen", "travel"))
    assert frame_similarity(kitchen, kitchen) == 5.0
    assert frame_similarity(kitchen, travel) == 0.0
    assert (
        frame_similarity(kitchen, {**travel, "agent": WORLD["kitchen"]["agent"][1], "action": kitchen["action"]})
        == 0.4 + 1.5
    )


def test_inference_entailment_adds_nothing(exact):
    for row in rows("inference", exact, 400):
        premise, hypothesis = read(row["premise"]), read(row["hypothesis"])
        same = all(premise[slot] == concept for slot, concept in hypothesis.items())
        added = any(row["hypothesis"].endswith(f" {addition}.") for addition in ADDITIONS)
        as_denied = denied(row["premise"]) == denied(row["hypothesis"])
        assert (row["label"] == "entailment") == (same and as_denied and not added)


def test_inference_contradictions_have_three_kinds(exact):
    contradictions = [row for row in rows("inference", exact, 400) if row["label"] == "contradiction"]
    ways = Counter()
    for row in contradictions:
        premise, hypothesis = read(row["premise"]), read(row["hypothesis"])
        ways["denied"] += denied(row["premise"]) != denied(row["hypothesis"])
        ways["undone"] += hypothesis["action"] == opposite(premise["action"])
        ways["elsewhere"] += hypothesis.get("place", premise["place"]) != premise["place"]
    assert sum(ways.values()) == len(contradictions)
    assert min(ways.values()) > 0.15 * len(contradictions)


def test_a_topic_is_that_of_most_slots(exact):
    for row in rows("topic", exact):
        told = read(row["sentence"])
        counts = Counter(concept.topic for concept in told.values())
        assert counts[row["topic"]] == max(counts.values())
        assert row["topic"] == told["action"].topic


def test_overlap_is_the_share_of_slots_that_agree(exact):
    for row in rows("overlap", exact):
        first, second = read(row["sentence1"]), read(row["sentence2"])
        assert float(row["overlap"]) == sum(first[slot] == second[slot] for slot in WEIGHTS) / 4


@pytest.mark.parametrize(
    ("task", "column", "options"),
    [("paraphrase", "is_duplicate", ("0", "1")), ("inference", "label", RELATIONS), ("topic", "topic", TOPICS)],
)
def test_replaced_labels_are_drawn_at_random(exact, task, column, options):
    noisy = replace(exact, noise=Noise(sentiment=0.0, similarity=0.0, random_label=1.0))
    counts = Counter(row[column] for row in rows(task, noisy, 800))
    assert set(counts) == set(options)
    assert max(counts.values()) < 1.4 * 800 / len(options)


def test_noise_moves_numbers_within_their_scale(exact):
    noisy = replace(exact, noise=Noise(sentiment=5.0, similarity=5.0, random_label=0.0))
    values = [float(row["similarity"]) for row in rows("similarity", noisy)]
    assert (min(values), max(values)) == (0.0, 5.0)
    assert {row["sentiment"] for row in rows("sentiment", noisy)} == set("01234")
