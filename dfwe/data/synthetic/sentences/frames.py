"""Frames (agent, action, thing and place) and the sentences that express them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from dfwe.data.synthetic.drawing import choose, happens
from dfwe.data.synthetic.sentences.lexicon import OPINIONS, SLOTS, WORLD, Concept, third_person
from dfwe.values.allowed import Share

Frame = Mapping[str, Concept]  # a concept per slot


@dataclass(frozen=True)
class SentenceStyle:
    """Probabilities of how sentences express a frame."""

    off_topic: Share  # that the agent comes from another topic, and likewise the place
    with_opinion: Share  # that the thing of a sentence in a pair has an opinion that no label depends on
    place_first: Share  # that a sentence begins with the place
    negation: Share  # that a premise is negated
    generalization: Share  # that a hypothesis states less than the premise


def draw_frame(style: SentenceStyle, *, rng: np.random.Generator) -> Frame:
    """Draw an action and a thing of one topic, and an agent and a place mostly of the same."""
    topic = choose(tuple(WORLD), rng=rng)
    return {slot: _draw_slot(slot, topic=topic, off_topic=style.off_topic, rng=rng) for slot in SLOTS}


def draw_other(concept: Concept, *, same_topic: bool, rng: np.random.Generator) -> Concept:
    """Draw another concept for the slot, of the same topic or of another one."""
    topics = [concept.topic] if same_topic else [topic for topic in WORLD if topic != concept.topic]
    options = [other for other in WORLD[choose(topics, rng=rng)][concept.slot] if other != concept]
    return choose(options, rng=rng)


def replace_slots(frame: Frame, *, slots: Collection[str], same_topic: float, rng: np.random.Generator) -> Frame:
    """Return the frame with other concepts in those slots, each of the same topic with that probability."""
    return {
        **frame,
        **{slot: draw_other(frame[slot], same_topic=happens(same_topic, rng=rng), rng=rng) for slot in slots},
    }


def draw_slots(number: int, *, rng: np.random.Generator) -> tuple[str, ...]:
    """Draw this number of different slots."""
    return tuple(SLOTS[int(index)] for index in sorted(rng.permutation(len(SLOTS))[:number]))


def draw_words(frame: Frame, *, rng: np.random.Generator) -> dict[str, str]:
    """Draw a word per concept; actions come as infinitives."""
    return {slot: choose(concept.words, rng=rng) for slot, concept in frame.items()}


def statement(
    words: Mapping[str, str],
    *,
    style: SentenceStyle,
    rng: np.random.Generator,
    negated: bool = False,
    addition: str = "",
) -> str:
    """Return a sentence with these words, which may lack the place and hold phrases for agent and thing."""
    verb = _negation(words["action"], rng=rng) if negated else third_person(words["action"])
    clause = f"{_the(words['agent'])} {verb} {_the(words['thing'])}"
    if "place" not in words:
        text = clause
    elif happens(style.place_first, rng=rng):
        text = f"at the {words['place']} {clause}"
    else:
        text = f"{clause} at the {words['place']}"
    return _sentence(f"{text} {addition}".strip(), end=".")


def question(words: Mapping[str, str], *, style: SentenceStyle, rng: np.random.Generator) -> str:
    """Return a question with these words that can be answered with yes or no."""
    agent, thing, place = _the(words["agent"]), _the(words["thing"]), words["place"]
    if happens(style.place_first, rng=rng):
        return _sentence(f"is it at the {place} that {agent} {third_person(words['action'])} {thing}", end="?")
    return _sentence(f"does {agent} {words['action']} {thing} at the {place}", end="?")


def add_opinion(words: Mapping[str, str], *, style: SentenceStyle, rng: np.random.Generator) -> dict[str, str]:
    """Return the words, sometimes with an opinion of the thing that no label depends on."""
    if not happens(style.with_opinion, rng=rng):
        return dict(words)
    opinion = choose(choose(tuple(OPINIONS.values()), rng=rng), rng=rng)
    return {**words, "thing": f"the {opinion} {words['thing']}"}


def _draw_slot(slot: str, *, topic: str, off_topic: float, rng: np.random.Generator) -> Concept:
    concept = choose(WORLD[topic][slot], rng=rng)
    is_off_topic = slot in ("agent", "place") and happens(off_topic, rng=rng)
    return draw_other(concept, same_topic=False, rng=rng) if is_off_topic else concept


def _negation(verb: str, *, rng: np.random.Generator) -> str:
    return f"does not {verb}" if happens(0.5, rng=rng) else f"never {third_person(verb)}"


def _the(words: str) -> str:
    return words if " " in words or words == "somebody" else f"the {words}"


def _sentence(text: str, *, end: str) -> str:
    return f"{text[0].upper()}{text[1:]}{end}"
