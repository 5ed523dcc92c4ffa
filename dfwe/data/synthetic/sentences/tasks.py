"""The six tasks as files of rows: how a row is drawn, and the rule by which its label follows from its sentences."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from types import MappingProxyType

import numpy as np

from dfwe.data.synthetic.drawing import Draws, check_tasks, draw_distinct
from dfwe.data.synthetic.sentences.frames import Frame, Noise, RowSampler, SentenceStyle
from dfwe.data.synthetic.sentences.lexicon import ADDITIONS, DEGREES, OPINIONS, SLOTS, WORLD, opposite
from dfwe.errors import ConfigurationError
from dfwe.io.files import make_folder, write_text
from dfwe.values.allowed import Count, Natural

Row = dict[str, str]
TOPICS = tuple(WORLD)
RELATIONS = ("entailment", "neutral", "contradiction")
WEIGHTS = MappingProxyType({"agent": 1.0, "action": 1.5, "thing": 1.5, "place": 1.0})  # of equal slots; 5 in all
_SAME_TOPIC = 0.4  # factor for another concept of the same topic
_NUM_SENTIMENTS = 5
_SPLITS = ("test", "dev", "train")  # in the order of drawing, so that more train rows leave the others as they are


@dataclass(frozen=True)
class ToyMultitask:
    """Seeded files `TASK/SPLIT.tsv`; a task has its own random stream and no two rows with the same sentences."""

    seed: Natural
    rows: Mapping[str, Mapping[str, Count]]  # number of rows by task and split
    style: SentenceStyle
    noise: Noise

    def __post_init__(self) -> None:
        check_tasks(self.rows, options=TASKS)
        for task, numbers in self.rows.items():
            if set(numbers) != set(_SPLITS) or any(number < 1 for number in numbers.values()):
                raise ConfigurationError(f"rows.{task} needs a number of rows for train, dev and test: {numbers}")

    def write(self, folder: Path) -> None:
        """Write all files below the folder, the same bytes for the same arguments."""
        for task, numbers in self.rows.items():
            make_folder(folder / task)
            draws = Draws(np.random.default_rng([self.seed, zlib.crc32(task.encode())]))
            sampler = RowSampler(self.style, self.noise, draws)
            distinct = draw_distinct(partial(TASKS[task], sampler), key=lambda row: tuple(row.values())[:-1])
            for split in _SPLITS:
                rows = list(islice(distinct, numbers[split]))
                cells = [["id", *rows[0]]]
                cells += [[f"{task}-{split}-{number}", *row.values()] for number, row in enumerate(rows)]
                write_text(folder / task / f"{split}.tsv", "".join("\t".join(line) + "\n" for line in cells))


def sentiment(sampler: RowSampler) -> Row:
    """Draw one or two opinions and their mean, 0 to 4: degree times value, the second counted twice after "but".

    The mean is rounded, the middle of the scale is 0.
    """
    draws, words = sampler.draws, sampler.words(sampler.frame())
    text, value = _opinion(f"the {words['thing']} at the {words['place']}", draws=draws)
    if draws.happens(0.5):
        second, second_value = _opinion(f"the {words['agent']}", draws=draws)
        but = draws.happens(0.5)
        text = f"{text}, {'but' if but else 'and'} {second}"
        value = (value + 2 * second_value) / 3 if but else (value + second_value) / 2
    step = round(value + sampler.noise.sentiment * float(draws.rng.standard_normal())) + _NUM_SENTIMENTS // 2
    return {"sentence": f"{text.capitalize()}.", "sentiment": str(min(max(step, 0), _NUM_SENTIMENTS - 1))}


def paraphrase(sampler: RowSampler) -> Row:
    """Draw two questions, labelled 1 where all four slots hold the same concepts, else 0."""
    first = sampler.frame()
    num_replaced = int(sampler.draws.rng.choice((0, 1, 2, 3), p=(0.4, 0.2, 0.2, 0.2)))
    second = sampler.replace(first, slots=sampler.slots(num_replaced), same_topic=0.5)
    label = sampler.label(str(int(num_replaced == 0)), options=("0", "1"))
    questions = [sampler.question(sampler.words_with_opinion(frame)) for frame in (first, second)]
    return {"sentence1": questions[0], "sentence2": questions[1], "is_duplicate": label}


def similarity(sampler: RowSampler) -> Row:
    """Draw two statements and their similarity, 0 to 5: the weights of equal slots, less for the same topic."""
    first, second = _frame_pair(sampler, same_topic=0.4)
    value = frame_similarity(first, second) + sampler.noise.similarity * float(sampler.draws.rng.standard_normal())
    return _statements(sampler, first, second) | {"similarity": f"{min(max(value, 0.0), 5.0):.2f}"}


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
    frame, relation = sampler.frame(), sampler.draws.choose(RELATIONS)
    negated = sampler.draws.happens(sampler.style.negation)
    premise = sampler.statement(sampler.words_with_opinion(frame), negated=negated)
    hypothesis = _HYPOTHESES[relation](frame, negated, sampler)
    return {"premise": premise, "hypothesis": hypothesis, "label": sampler.label(relation, options=RELATIONS)}


def topic(sampler: RowSampler) -> Row:
    """Draw a statement and the topic of most of its slots, on a tie that of the action."""
    frame = sampler.frame()
    counts = Counter(concept.topic for concept in frame.values())
    label = max(counts, key=lambda name: (counts[name], name == frame["action"].topic))
    sentence = sampler.statement(sampler.words_with_opinion(frame))
    return {"sentence": sentence, "topic": sampler.label(label, options=TOPICS)}


def overlap(sampler: RowSampler) -> Row:
    """Draw two statements and the fraction of slots with the same concepts, 0 to 1, whatever the words."""
    first, second = _frame_pair(sampler, same_topic=0.5)
    fraction = sum(first[slot] == second[slot] for slot in SLOTS) / len(SLOTS)
    return _statements(sampler, first, second) | {"overlap": f"{fraction:.2f}"}


TASKS: Mapping[str, Callable[[RowSampler], Row]] = MappingProxyType(
    {task.__name__: task for task in (sentiment, paraphrase, similarity, inference, topic, overlap)}
)


def _frame_pair(sampler: RowSampler, *, same_topic: float) -> tuple[Frame, Frame]:
    first = sampler.frame()
    slots = sampler.slots(int(sampler.draws.rng.integers(len(SLOTS) + 1)))
    return first, sampler.replace(first, slots=slots, same_topic=same_topic)


def _statements(sampler: RowSampler, *frames: Frame) -> Row:
    texts = [sampler.statement(sampler.words_with_opinion(frame)) for frame in frames]
    return {f"sentence{number}": text for number, text in enumerate(texts, start=1)}


def _entailed(frame: Frame, negated: bool, sampler: RowSampler) -> str:
    return sampler.statement(_generalized(frame, sampler), negated=negated)


def _neutral(frame: Frame, negated: bool, sampler: RowSampler) -> str:
    if sampler.draws.happens(0.5):
        addition = sampler.draws.choose(ADDITIONS)
        return sampler.statement(_generalized(frame, sampler), negated=negated, addition=addition)
    slot = sampler.draws.choose(("agent", "thing"))
    words = sampler.words(sampler.replace(frame, slots=(slot,), same_topic=0.5))
    return sampler.statement(words, negated=negated)


def _contradicted(frame: Frame, negated: bool, sampler: RowSampler) -> str:
    kind = "denied" if negated else sampler.draws.choose(("denied", "undone", "elsewhere"))
    if kind == "elsewhere":
        words = sampler.words(sampler.replace(frame, slots=("place",), same_topic=0.5))
        return sampler.statement(words, negated=negated)
    if kind == "undone":
        frame = {**frame, "action": opposite(frame["action"])}
    return sampler.statement(_generalized(frame, sampler), negated=not negated if kind == "denied" else negated)


_HYPOTHESES: Mapping[str, Callable[[Frame, bool, RowSampler], str]] = MappingProxyType(
    {"entailment": _entailed, "neutral": _neutral, "contradiction": _contradicted}
)


def _generalized(frame: Frame, sampler: RowSampler) -> dict[str, str]:
    """Draw words for the frame, sometimes with one slot left out or expressed by a more general word."""
    words = sampler.words(frame)
    if not sampler.draws.happens(sampler.style.generalization):
        return words
    slot = sampler.draws.choose(("agent", "thing", "place"))
    if slot == "place":
        return {slot: word for slot, word in words.items() if slot != "place"}
    return {**words, slot: "somebody" if slot == "agent" else f"some {frame['thing'].kind}"}


def _opinion(subject: str, *, draws: Draws) -> tuple[str, float]:
    degree, value = draws.choose(tuple(DEGREES)), draws.choose(tuple(OPINIONS))
    words = f"{subject} is {degree} {draws.choose(OPINIONS[value])}"
    return " ".join(words.split()), DEGREES[degree] * value
