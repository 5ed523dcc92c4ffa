"""Frames (agent, action, thing and place) and the sentences that express them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from dfwe.data.synthetic.drawing import Draws
from dfwe.data.synthetic.sentences.lexicon import OPINIONS, SLOTS, WORLD, Concept, third_person
from dfwe.values.allowed import NonNegative, Share

Frame = Mapping[str, Concept]  # a concept per slot


@dataclass(frozen=True)
class SentenceStyle:
    """Probabilities of how sentences express a frame."""

    off_topic: Share  # that the agent comes from another topic, and likewise the place
    with_opinion: Share  # that the thing of a sentence in a pair has an opinion that no label depends on
    place_first: Share  # that a sentence begins with the place
    negation: Share  # that a premise is negated
    generalization: Share  # that a hypothesis states less than the premise


@dataclass(frozen=True)
class Noise:
    """Random deviations of labels from the rules."""

    sentiment: NonNegative  # standard deviation, in steps of the five
    similarity: NonNegative  # standard deviation, on the scale from 0 to 5
    random_label: Share  # probability that a label of the other tasks is drawn at random


@dataclass(frozen=True)
class RowSampler:
    """Settings and random draws of all rows of a task."""

    style: SentenceStyle
    noise: Noise
    draws: Draws

    def frame(self) -> Frame:
        """Draw an action and a thing of one topic, and an agent and a place mostly of the same."""
        topic = self.draws.choose(tuple(WORLD))
        return {slot: self._concept(slot, topic=topic) for slot in SLOTS}

    def slots(self, number: int) -> tuple[str, ...]:
        """Draw this number of different slots."""
        return tuple(SLOTS[int(index)] for index in sorted(self.draws.rng.permutation(len(SLOTS))[:number]))

    def replace(self, frame: Frame, *, slots: Collection[str], same_topic: float) -> Frame:
        """Return the frame with other concepts in those slots, each of the same topic with that probability."""
        return {**frame, **{slot: self._other(frame[slot], same_topic=same_topic) for slot in slots}}

    def words(self, frame: Frame) -> dict[str, str]:
        """Draw a word per concept; actions come as infinitives."""
        return {slot: self.draws.choose(concept.words) for slot, concept in frame.items()}

    def words_with_opinion(self, frame: Frame) -> dict[str, str]:
        """Draw a word per concept, sometimes with an opinion of the thing that no label depends on."""
        words = self.words(frame)
        if not self.draws.happens(self.style.with_opinion):
            return words
        opinion = self.draws.choose(self.draws.choose(tuple(OPINIONS.values())))
        return {**words, "thing": f"the {opinion} {words['thing']}"}

    def statement(self, words: Mapping[str, str], *, negated: bool = False, addition: str = "") -> str:
        """Return a sentence with these words, which may lack the place and hold phrases for agent and thing."""
        verb = self._negation(words["action"]) if negated else third_person(words["action"])
        clause = f"{_the(words['agent'])} {verb} {_the(words['thing'])}"
        if "place" not in words:
            text = clause
        elif self.draws.happens(self.style.place_first):
            text = f"at the {words['place']} {clause}"
        else:
            text = f"{clause} at the {words['place']}"
        return _sentence(f"{text} {addition}".strip(), end=".")

    def question(self, words: Mapping[str, str]) -> str:
        """Return a question with these words that can be answered with yes or no."""
        agent, thing, place = _the(words["agent"]), _the(words["thing"]), words["place"]
        if self.draws.happens(self.style.place_first):
            return _sentence(f"is it at the {place} that {agent} {third_person(words['action'])} {thing}", end="?")
        return _sentence(f"does {agent} {words['action']} {thing} at the {place}", end="?")

    def label(self, label: str, *, options: tuple[str, ...]) -> str:
        """Return the label, or a random one with the probability of `noise.random_label`."""
        return self.draws.choose(options) if self.draws.happens(self.noise.random_label) else label

    def _concept(self, slot: str, *, topic: str) -> Concept:
        concept = self.draws.choose(WORLD[topic][slot])
        is_off_topic = slot in ("agent", "place") and self.draws.happens(self.style.off_topic)
        return self._of_topics(concept, topics=_other_topics(concept)) if is_off_topic else concept

    def _other(self, concept: Concept, *, same_topic: float) -> Concept:
        topics = [concept.topic] if self.draws.happens(same_topic) else _other_topics(concept)
        return self._of_topics(concept, topics=topics)

    def _of_topics(self, concept: Concept, *, topics: list[str]) -> Concept:
        """Draw another concept for the slot, of one of the topics."""
        options = [other for other in WORLD[self.draws.choose(topics)][concept.slot] if other != concept]
        return self.draws.choose(options)

    def _negation(self, verb: str) -> str:
        return f"does not {verb}" if self.draws.happens(0.5) else f"never {third_person(verb)}"


def _other_topics(concept: Concept) -> list[str]:
    return [topic for topic in WORLD if topic != concept.topic]


def _the(words: str) -> str:
    return words if " " in words or words == "somebody" else f"the {words}"


def _sentence(text: str, *, end: str) -> str:
    return f"{text[0].upper()}{text[1:]}{end}"
