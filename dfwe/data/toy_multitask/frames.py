"""What one sentence tells, and the sentences that tell it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from dfwe.data.toy_multitask.world import OPINIONS, SLOTS, WORLD, Concept, third_person
from dfwe.values.allowed import Share

T = TypeVar("T")
Frame = Mapping[str, Concept]  # who does which deed to which thing at which place


@dataclass(frozen=True)
class SentenceStyle:
    """How sentences are told: shares of them."""

    astray: Share  # each of who and place, that come from another topic
    decorated: Share  # of sentences in pairs, whose thing bears an opinion that counts for nothing
    inverted: Share  # that begin with the place
    negated: Share  # of premises
    widened: Share  # of hypotheses, that tell less than the premise


def pick(options: Sequence[T], *, rng: np.random.Generator) -> T:
    """One of them, each as likely."""
    return options[int(rng.integers(len(options)))]


def draw_frame(manner: SentenceStyle, *, rng: np.random.Generator) -> Frame:
    """A deed and a thing of one topic; who and where mostly of the same."""
    topic = pick(tuple(WORLD), rng=rng)
    return {slot: _draw_slot(slot, topic=topic, astray=manner.astray, rng=rng) for slot in SLOTS}


def other(concept: Concept, *, same_topic: bool, rng: np.random.Generator) -> Concept:
    """Another concept for the slot, of the same topic or of another one."""
    topics = [concept.topic] if same_topic else [topic for topic in WORLD if topic != concept.topic]
    options = [one for one in WORLD[pick(topics, rng=rng)][concept.slot] if one != concept]
    return pick(options, rng=rng)


def change(frame: Frame, *, slots: Collection[str], same_topic: float, rng: np.random.Generator) -> Frame:
    """The frame with others in those slots; each is of the same topic with that probability."""
    changed = {slot: other(frame[slot], same_topic=rng.random() < same_topic, rng=rng) for slot in slots}
    return {**frame, **changed}


def some_slots(number: int, *, rng: np.random.Generator) -> tuple[str, ...]:
    """So many different slots."""
    return tuple(SLOTS[int(index)] for index in sorted(rng.permutation(len(SLOTS))[:number]))


def words_of(frame: Frame, *, rng: np.random.Generator) -> dict[str, str]:
    """A word for each concept, deeds in the form without an ending."""
    return {slot: pick(concept.words, rng=rng) for slot, concept in frame.items()}


def statement(
    words: Mapping[str, str],
    *,
    manner: SentenceStyle,
    rng: np.random.Generator,
    negated: bool = False,
    addition: str = "",
) -> str:
    """A sentence that tells it; `words` may lack the place, and hold whole phrases for who and thing."""
    deed = _negation(words["deed"], rng=rng) if negated else third_person(words["deed"])
    told = f"{_the(words['who'])} {deed} {_the(words['thing'])}"
    if "place" not in words:
        text = told
    elif rng.random() < manner.inverted:
        text = f"at the {words['place']} {told}"
    else:
        text = f"{told} at the {words['place']}"
    return _sentence(f"{text} {addition}".strip(), end=".")


def question(words: Mapping[str, str], *, manner: SentenceStyle, rng: np.random.Generator) -> str:
    """A sentence that asks whether it is so."""
    who, thing, place = _the(words["who"]), _the(words["thing"]), words["place"]
    if rng.random() < manner.inverted:
        return _sentence(f"is it at the {place} that {who} {third_person(words['deed'])} {thing}", end="?")
    return _sentence(f"does {who} {words['deed']} {thing} at the {place}", end="?")


def decorated(words: Mapping[str, str], *, manner: SentenceStyle, rng: np.random.Generator) -> dict[str, str]:
    """The words, now and then with an opinion of the thing that tells nothing of what is done."""
    if rng.random() >= manner.decorated:
        return dict(words)
    opinion = pick(pick(tuple(OPINIONS.values()), rng=rng), rng=rng)
    return {**words, "thing": f"the {opinion} {words['thing']}"}


def _draw_slot(slot: str, *, topic: str, astray: float, rng: np.random.Generator) -> Concept:
    concept = pick(WORLD[topic][slot], rng=rng)
    strays = slot in ("who", "place") and rng.random() < astray
    return other(concept, same_topic=False, rng=rng) if strays else concept


def _negation(verb: str, *, rng: np.random.Generator) -> str:
    return f"does not {verb}" if rng.random() < 0.5 else f"never {third_person(verb)}"


def _the(words: str) -> str:
    return words if " " in words or words == "somebody" else f"the {words}"


def _sentence(text: str, *, end: str) -> str:
    return f"{text[0].upper()}{text[1:]}{end}"
