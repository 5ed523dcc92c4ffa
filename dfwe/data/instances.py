"""The instances of a task in one split of a corpus."""

from __future__ import annotations

from dfwe.data.prompts.base import Prompt
from dfwe.data.readers.base import Corpus
from dfwe.data.shots import Shots
from dfwe.errors import DataError
from dfwe.records import Instance, Split


def collect(
    corpus: Corpus, *, prompt: Prompt, split: Split, max_words: int, seed: int, shots: Shots
) -> tuple[Instance, ...]:
    """The split's instances in the reference's order: dialogues as in the file, not as in the list of ids.

    Raises:
        DataError: the split, or what `shots` draws of it, has no instance of the task; or an annotation is broken.
    """
    listed = frozenset(shots.ids(corpus, split=split))
    found = [
        instance
        for dialogue_id, dialogue in corpus.dialogues.items()
        if dialogue_id in listed
        for instance in prompt.instances(dialogue, max_words=max_words, seed=seed)
    ]
    if not found:
        num_all = len(corpus.splits[split])
        drawn = f" (data.shots={shots.amount} draws these of {num_all})" if len(listed) < num_all else ""
        raise DataError(
            f"the {split} split of {corpus.origin} has no instance of {prompt.task} in its {len(listed)} "
            f"dialogues{drawn}: choose another task, or data (data.root, data.shots) that are annotated for it"
        )
    return shots.take(found, task=prompt.task, split=split)
