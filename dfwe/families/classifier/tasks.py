"""Tasks as a classifier answers them: one of a closed set of answers, or a number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from dfwe.config.tasks import Task
from dfwe.data.prompts.answers import Number
from dfwe.data.prompts.base import Prompt, columns_of
from dfwe.data.prompts.template import Sentences, Template
from dfwe.data.readers.base import Dialogue
from dfwe.errors import ConfigurationError
from dfwe.records import Instance

_MOST_SENTENCES = 2


@dataclass(frozen=True, kw_only=True)
class ClosedSet(Prompt):
    """Questions of another prompt, each with the same closed set of answers; an empty set is for numbers."""

    prompt: Prompt
    answers: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...] | None:
        """Columns that a row must have; None where dialogues are asked about."""
        return columns_of(self.prompt)

    def instances(self, dialogue: Dialogue, *, max_words: int, seed: int) -> Iterator[Instance]:
        """Yield the other prompt's instances; see Prompt."""
        prompt = replace(self.prompt, unlabelled=self.unlabelled)
        for instance in prompt.instances(dialogue, max_words=max_words, seed=seed):
            yield replace(instance, candidates=self.answers)


def classification_task(task: Task) -> Task:
    """Return the task with a closed set of answers, or with numbers, as a classifier reads it.

    Rows of one or two columns are read as sentences, a pair as one sequence with two segments. All else is read as the
    source text that text-to-text models read. Where several labels may hold, as relations do, the first one is learnt.

    Raises:
        ConfigurationError: the answer is free text, or the candidates differ per question.
    """
    if isinstance(task.prompt, ClosedSet):
        return task
    if not is_number(task) and len(task.labels) < 2:
        kind = "candidates that differ per question" if task.decode == "candidates" else "free text"
        raise ConfigurationError(
            f"a classifier cannot answer the task '{task.short}', whose answers are {kind}: choose a model of the "
            "family seq2seq, such as model=minilm, or leave the task out"
        )
    prompt = task.prompt
    if isinstance(prompt, Template) and len(prompt.columns) <= _MOST_SENTENCES:
        prompt = Sentences(task=task.name, columns=prompt.columns, answer=prompt.answer)
    decode = "greedy" if is_number(task) else "labels"
    return replace(task, decode=decode, prompt=ClosedSet(task=task.name, prompt=prompt, answers=answers_of(task)))


def answers_of(task: Task) -> tuple[str, ...]:
    """Return the texts that the labels have as answers, in the labels' order; none where the answer is a number."""
    if isinstance(task.prompt, ClosedSet):
        return task.prompt.answers
    names: Mapping[str, str] = getattr(task.prompt, "names", {})  # of labels that stand for longer texts
    return () if is_number(task) else tuple(names.get(label, label) for label in task.labels)


def is_number(task: Task) -> bool:
    """Return whether the answer is a number."""
    return isinstance(task.prompt, Template) and isinstance(task.prompt.answer, Number)
