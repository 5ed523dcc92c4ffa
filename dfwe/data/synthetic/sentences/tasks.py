"""The six tasks: how a row is drawn, and the rule by which its label follows from its sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from dfwe.data.synthetic.drawing import choose, happens
from dfwe.data.synthetic.sentences.frames import (
    Frame,
    SentenceStyle,
    add_opinion,
    draw_frame,
    draw_slots,
    draw_words,
    question,
    replace_slots,
    statement,
)
from dfwe.data.synthetic.sentences.lexicon import ADDITIONS, DEGREES, OPINIONS, SLOTS, WORLD, opposite
from dfwe.values.allowed import NonNegative, Share

Row = dict[str, str]
TOPICS = tuple(WORLD)
RELATIONS = ("entailment", "neutral", "contradiction")
WEIGHTS = MappingProxyType({"agent": 1.0, "action": 1.5, "thing": 1.5, "place": 1.0})  # of equal slots; 5 in all
_SAME_TOPIC = 0.4  # factor for another concept of the same topic
_NUM_SENTIMENTS = 5


@dataclass(frozen=True)
class Noise:
    """Random deviations of labels from the rules."""

    sentiment: NonNegative  # standard deviation, in steps of the five
    similarity: NonNegative  # standard deviation, on the scale from 0 to 5
    random_label: Share  # probability that a label of the other tasks is drawn at random


@dataclass(frozen=True)
class RowSampler:
    """Settings and random generator of all rows of a task."""

    style: SentenceStyle
    noise: Noise
    rng: np.random.Generator

    def frame(self) -> Frame:
        """Draw a frame."""
        return draw_frame(self.style, rng=self.rng)

    def words(self, frame: Frame) -> dict[str, str]:
        """Draw words for a frame, sometimes with an opinion."""
        return add_opinion(draw_words(frame, rng=self.rng), style=self.style, rng=self.rng)

    def statement(self, frame: Frame) -> str:
        """Draw a statement of a frame."""
        return statement(self.words(frame), style=self.style, rng=self.rng)

    def label(self, label: str, *, options: tuple[str, ...]) -> str:
        """Return the label, or a random one with the probability of `noise.random_label`."""
        return choose(options, rng=self.rng) if happens(self.noise.random_label, rng=self.rng) else label


def sentiment(sampler: RowSampler) -> Row:
    """Draw one or two opinions and their mean, 0 to 4: degree times value, the second counted twice after "but".

    The mean is rounded, the middle of the scale is 0.
    """
    rng, words = sampler.rng, draw_words(sampler.frame(), rng=sampler.rng)
    text, value = _opinion(f"the {words['thing']} at the {words['place']}", rng=rng)
    if happens(0.5, rng=rng):
        second, second_value = _opinion(f"the {words['agent']}", rng=rng)
        but = happens(0.5, rng=rng)
        text = f"{text}, {'but' if but else 'and'} {second}"
        value = (value + 2 * second_value) / 3 if but else (value + second_value) / 2
    step = round(value + sampler.noise.sentiment * float(rng.standard_normal())) + _NUM_SENTIMENTS // 2
    return {"sentence": f"{text.capitalize()}.", "sentiment": str(min(max(step, 0), _NUM_SENTIMENTS - 1))}


def paraphrase(sampler: RowSampler) -> Row:
    """Draw two questions, labelled 1 where all four slots hold the same concepts, else 0."""
    rng = sampler.rng
    first = sampler.frame()
    num_replaced = int(rng.choice((0, 1, 2, 3), p=(0.4, 0.2, 0.2, 0.2)))
    second = replace_slots(first, slots=draw_slots(num_replaced, rng=rng), same_topic=0.5, rng=rng)
    label = sampler.label(str(int(num_replaced == 0)), options=("0", "1"))
    questions = [question(sampler.words(frame), style=sampler.style, rng=rng) for frame in (first, second)]
    return {"sentence1": questions[0], "sentence2": questions[1], "is_duplicate": label}


def similarity(sampler: RowSampler) -> Row:
    """Draw two statements and their similarity, 0 to 5: the weights of equal slots, less for the same topic."""
    first, second = _frame_pair(sampler, same_topic=0.4)
    value = frame_similarity(first, second) + sampler.noise.similarity * float(sampler.rng.standard_normal())
    sentences = [sampler.statement(frame) for frame in (first, second)]
    return {"sentence1": sentences[0], "sentence2": sentences[1], "similarity": f"{min(max(value, 0.0), 5.0):.2f}"}


def frame_similarity(first: Frame, second: Frame) -> float:
    """Return the similarity of two frames, without noise."""
    value = 0.0
    for slot, weight in WEIGHTS.items():
        if first[slot] == second[slot]:
            value += weight
        elif first[slot].topic == second[slot].topic:
            value += weight * _SAME_TOPIC
    return value


def inference(sampler: RowSampler) -> Row:
    """Draw a premise, a hypothesis, and whether it follows.

    The hypothesis repeats the premise with less, with a wider word or with other words (entailment); with an addition
    or another thing or agent (neutral); or with the action negated, undone, or done elsewhere (contradiction). A
    hypothesis is negated where the premise is.
    """
    rng = sampler.rng
    frame, relation = sampler.frame(), choose(RELATIONS, rng=rng)
    negated = happens(sampler.style.negation, rng=rng)
    premise = statement(sampler.words(frame), style=sampler.style, rng=rng, negated=negated)
    hypothesis = _HYPOTHESES[relation](frame, negated, sampler)
    return {"premise": premise, "hypothesis": hypothesis, "label": sampler.label(relation, options=RELATIONS)}


def topic(sampler: RowSampler) -> Row:
    """Draw a statement and the topic of most of its slots, on a tie that of the action."""
    frame = sampler.frame()
    counts = Counter(concept.topic for concept in frame.values())
    label = max(counts, key=lambda name: (counts[name], name == frame["action"].topic))
    sentence = sampler.statement(frame)
    return {"sentence": sentence, "topic": sampler.label(label, options=TOPICS)}


def overlap(sampler: RowSampler) -> Row:
    """Draw two statements and the fraction of slots with the same concepts, 0 to 1, whatever the words."""
    first, second = _frame_pair(sampler, same_topic=0.5)
    fraction = sum(first[slot] == second[slot] for slot in SLOTS) / len(SLOTS)
    sentences = [sampler.statement(frame) for frame in (first, second)]
    return {"sentence1": sentences[0], "sentence2": sentences[1], "overlap": f"{fraction:.2f}"}


TASKS: Mapping[str, Callable[[RowSampler], Row]] = MappingProxyType(
    {
        "sentiment": sentiment,
        "paraphrase": paraphrase,
        "similarity": similarity,
        "inference": inference,
        "topic": topic,
        "overlap": overlap,
    }
)


def _frame_pair(sampler: RowSampler, *, same_topic: float) -> tuple[Frame, Frame]:
    first, rng = sampler.frame(), sampler.rng
    slots = draw_slots(int(rng.integers(len(SLOTS) + 1)), rng=rng)
    return first, replace_slots(first, slots=slots, same_topic=same_topic, rng=rng)


def _entailed(frame: Frame, negated: bool, sampler: RowSampler) -> str:
    return statement(_generalized(frame, sampler), style=sampler.style, rng=sampler.rng, negated=negated)


def _neutral(frame: Frame, negated: bool, sampler: RowSampler) -> str:
    rng = sampler.rng
    if happens(0.5, rng=rng):
        addition = choose(ADDITIONS, rng=rng)
        words = _generalized(frame, sampler)
    else:
        addition = ""
        slot = choose(("agent", "thing"), rng=rng)
        words = draw_words(replace_slots(frame, slots=(slot,), same_topic=0.5, rng=rng), rng=rng)
    return statement(words, style=sampler.style, rng=rng, negated=negated, addition=addition)


def _contradicted(frame: Frame, negated: bool, sampler: RowSampler) -> str:
    rng = sampler.rng
    kind = "denied" if negated else choose(("denied", "undone", "elsewhere"), rng=rng)
    if kind == "undone":
        frame = {**frame, "action": opposite(frame["action"])}
    if kind == "elsewhere":
        frame = replace_slots(frame, slots=("place",), same_topic=0.5, rng=rng)
    words = draw_words(frame, rng=rng) if kind == "elsewhere" else _generalized(frame, sampler)
    return statement(words, style=sampler.style, rng=rng, negated=not negated if kind == "denied" else negated)


_HYPOTHESES: Mapping[str, Callable[[Frame, bool, RowSampler], str]] = MappingProxyType(
    {"entailment": _entailed, "neutral": _neutral, "contradiction": _contradicted}
)


def _generalized(frame: Frame, sampler: RowSampler) -> dict[str, str]:
    """Draw words for the frame, sometimes with one slot left out or expressed by a more general word."""
    rng, words = sampler.rng, draw_words(frame, rng=sampler.rng)
    if not happens(sampler.style.generalization, rng=rng):
        return words
    slot = choose(("agent", "thing", "place"), rng=rng)
    if slot == "place":
        return {slot: word for slot, word in words.items() if slot != "place"}
    return {**words, slot: "somebody" if slot == "agent" else f"some {frame['thing'].kind}"}


def _opinion(subject: str, *, rng: np.random.Generator) -> tuple[str, float]:
    degree, value = choose(tuple(DEGREES), rng=rng), choose(tuple(OPINIONS), rng=rng)
    words = f"{subject} is {degree} {choose(OPINIONS[value], rng=rng)}"
    return " ".join(words.split()), DEGREES[degree] * value
