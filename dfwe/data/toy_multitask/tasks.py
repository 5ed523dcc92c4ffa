"""The six tasks: how a row is drawn, and by which rule its label follows from what its sentences tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from dfwe.data.toy_multitask.frames import (
    Frame,
    SentenceStyle,
    change,
    decorated,
    draw_frame,
    pick,
    question,
    some_slots,
    statement,
    words_of,
)
from dfwe.data.toy_multitask.world import ADDITIONS, DEGREES, OPINIONS, SLOTS, WORLD, opposite
from dfwe.values.allowed import NonNegative, Share

Row = dict[str, str]
TOPICS = tuple(WORLD)
RELATIONS = ("entailment", "neutral", "contradiction")
WEIGHTS = MappingProxyType({"who": 1.0, "deed": 1.5, "thing": 1.5, "place": 1.0})  # of slots that agree; 5 in all
_SAME_TOPIC = 0.4  # what another concept of the same topic counts of that
_NUM_SENTIMENTS = 5


@dataclass(frozen=True)
class Noise:
    """How far labels stray from the rules."""

    sentiment: NonNegative  # standard deviation, in steps of the five
    similarity: NonNegative  # standard deviation, on the scale from 0 to 5
    replaced: Share  # share of the other tasks' labels that are drawn at random


@dataclass(frozen=True)
class Drawing:
    """What every row is drawn with."""

    manner: SentenceStyle
    noise: Noise
    rng: np.random.Generator


def sentiment(drawing: Drawing) -> Row:
    """What one or two opinions come to, 0 to 4: their degree times their worth, the second twice after "but".

    The mean is rounded, the middle of the scale is 0.
    """
    rng, words = drawing.rng, words_of(draw_frame(drawing.manner, rng=drawing.rng), rng=drawing.rng)
    subjects = [f"the {words['thing']} at the {words['place']}", f"the {words['who']}"]
    first, worth = _opinion(subjects[0], rng=rng)
    text = first
    if rng.random() < 0.5:
        second, other_worth = _opinion(subjects[1], rng=rng)
        but = rng.random() < 0.5
        text = f"{first}, {'but' if but else 'and'} {second}"
        worth = (worth + 2 * other_worth) / 3 if but else (worth + other_worth) / 2
    noisy = round(worth + drawing.noise.sentiment * float(rng.standard_normal())) + _NUM_SENTIMENTS // 2
    return {"sentence": f"{text.capitalize()}.", "sentiment": str(min(max(noisy, 0), _NUM_SENTIMENTS - 1))}


def paraphrase(drawing: Drawing) -> Row:
    """Whether two questions ask the same: 1 where all four slots hold the same concepts, else 0."""
    rng = drawing.rng
    frame = draw_frame(drawing.manner, rng=rng)
    num_changed = int(rng.choice((0, 1, 2, 3), p=(0.4, 0.2, 0.2, 0.2)))
    second = change(frame, slots=some_slots(num_changed, rng=rng), same_topic=0.5, rng=rng)
    label = _replaced(str(int(num_changed == 0)), options=("0", "1"), drawing=drawing)
    asked = [question(_told(each, drawing), manner=drawing.manner, rng=rng) for each in (frame, second)]
    return {"sentence1": asked[0], "sentence2": asked[1], "is_duplicate": label}


def similarity(drawing: Drawing) -> Row:
    """How alike two statements are, 0 to 5: the weights of slots with the same concept, less for the same topic."""
    rng = drawing.rng
    frame = draw_frame(drawing.manner, rng=rng)
    second = change(frame, slots=some_slots(int(rng.integers(5)), rng=rng), same_topic=0.4, rng=rng)
    value = alike(frame, second) + drawing.noise.similarity * float(rng.standard_normal())
    told = [statement(_told(each, drawing), manner=drawing.manner, rng=rng) for each in (frame, second)]
    return {"sentence1": told[0], "sentence2": told[1], "similarity": f"{min(max(value, 0.0), 5.0):.2f}"}


def alike(first: Frame, second: Frame) -> float:
    """The similarity of what two sentences tell, without noise."""
    worth = 0.0
    for slot, weight in WEIGHTS.items():
        if first[slot] == second[slot]:
            worth += weight
        elif first[slot].topic == second[slot].topic:
            worth += weight * _SAME_TOPIC
    return worth


def inference(drawing: Drawing) -> Row:
    """Whether the hypothesis follows.

    It tells the premise again: less, wider, or in other words (entailment); with something that the premise does not
    say, or of another thing or person (neutral); or with the deed denied, undone, or done elsewhere (contradiction).
    A premise that denies is told again as one, whatever is left out.
    """
    rng, manner = drawing.rng, drawing.manner
    frame, relation = draw_frame(manner, rng=rng), pick(RELATIONS, rng=rng)
    negated = rng.random() < manner.negated
    premise = statement(_told(frame, drawing), manner=manner, rng=rng, negated=negated)
    hypothesis = _HYPOTHESES[relation](frame, negated, drawing)
    label = _replaced(relation, options=RELATIONS, drawing=drawing)
    return {"premise": premise, "hypothesis": hypothesis, "label": label}


def topic(drawing: Drawing) -> Row:
    """The topic that most slots belong to; where two have as many, that of the deed."""
    frame = draw_frame(drawing.manner, rng=drawing.rng)
    counts = Counter(concept.topic for concept in frame.values())
    most = max(counts, key=lambda name: (counts[name], name == frame["deed"].topic))
    text = statement(_told(frame, drawing), manner=drawing.manner, rng=drawing.rng)
    return {"sentence": text, "topic": _replaced(most, options=TOPICS, drawing=drawing)}


def overlap(drawing: Drawing) -> Row:
    """The share of slots with the same concepts, 0 to 1, whatever words tell them."""
    rng = drawing.rng
    frame = draw_frame(drawing.manner, rng=rng)
    second = change(frame, slots=some_slots(int(rng.integers(5)), rng=rng), same_topic=0.5, rng=rng)
    share = sum(frame[slot] == second[slot] for slot in SLOTS) / len(SLOTS)
    told = [statement(_told(each, drawing), manner=drawing.manner, rng=rng) for each in (frame, second)]
    return {"sentence1": told[0], "sentence2": told[1], "overlap": f"{share:.2f}"}


TASKS: Mapping[str, Callable[[Drawing], Row]] = MappingProxyType(
    {
        "sentiment": sentiment,
        "paraphrase": paraphrase,
        "similarity": similarity,
        "inference": inference,
        "topic": topic,
        "overlap": overlap,
    }
)


def _entailed(frame: Frame, negated: bool, drawing: Drawing) -> str:
    return statement(_wider(frame, drawing), manner=drawing.manner, rng=drawing.rng, negated=negated)


def _neutral(frame: Frame, negated: bool, drawing: Drawing) -> str:
    rng = drawing.rng
    if rng.random() < 0.5:
        addition = pick(ADDITIONS, rng=rng)
        words = _wider(frame, drawing)
    else:
        addition = ""
        slot = pick(("who", "thing"), rng=rng)
        words = words_of(change(frame, slots=(slot,), same_topic=0.5, rng=rng), rng=rng)
    return statement(words, manner=drawing.manner, rng=rng, negated=negated, addition=addition)


def _contradicted(frame: Frame, negated: bool, drawing: Drawing) -> str:
    rng = drawing.rng
    way = "denied" if negated else pick(("denied", "undone", "elsewhere"), rng=rng)
    if way == "undone":
        frame = {**frame, "deed": opposite(frame["deed"])}
    if way == "elsewhere":
        frame = change(frame, slots=("place",), same_topic=0.5, rng=rng)
    words = words_of(frame, rng=rng) if way == "elsewhere" else _wider(frame, drawing)
    return statement(words, manner=drawing.manner, rng=rng, negated=not negated if way == "denied" else negated)


_HYPOTHESES: Mapping[str, Callable[[Frame, bool, Drawing], str]] = MappingProxyType(
    {"entailment": _entailed, "neutral": _neutral, "contradiction": _contradicted}
)


def _told(frame: Frame, drawing: Drawing) -> dict[str, str]:
    return decorated(words_of(frame, rng=drawing.rng), manner=drawing.manner, rng=drawing.rng)


def _wider(frame: Frame, drawing: Drawing) -> dict[str, str]:
    """Words for the frame, now and then one slot of it left out or told by a wider word."""
    rng, words = drawing.rng, words_of(frame, rng=drawing.rng)
    if rng.random() >= drawing.manner.widened:
        return words
    slot = pick(("who", "thing", "place"), rng=rng)
    if slot == "place":
        return {slot: word for slot, word in words.items() if slot != "place"}
    return {**words, slot: "somebody" if slot == "who" else f"some {frame['thing'].kind}"}


def _opinion(subject: str, *, rng: np.random.Generator) -> tuple[str, float]:
    degree, worth = pick(tuple(DEGREES), rng=rng), pick(tuple(OPINIONS), rng=rng)
    words = f"{subject} is {degree} {pick(OPINIONS[worth], rng=rng)}"
    return " ".join(words.split()), DEGREES[degree] * worth


def _replaced(label: str, *, options: tuple[str, ...], drawing: Drawing) -> str:
    return pick(options, rng=drawing.rng) if drawing.rng.random() < drawing.noise.replaced else label
