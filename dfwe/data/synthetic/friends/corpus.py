"""The toy dialogues as a TLiDB data set on disk."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from dfwe.data.few_shot import FEW_SHOT, REFERENCE_SEED, few_shot_ids
from dfwe.data.friends.tasks import TASKS
from dfwe.data.readers.tlidb import write_tlidb
from dfwe.data.synthetic.drawing import check_tasks, draw_distinct
from dfwe.data.synthetic.friends.annotations import annotate, task_metadata
from dfwe.data.synthetic.friends.lexicon import EMOTIONS
from dfwe.data.synthetic.friends.scenes import DialogueStyle, SceneTurn, write_scene
from dfwe.errors import ConfigurationError
from dfwe.values.allowed import Count, Natural, Share

_SCENES_PER_EPISODE = 10
_EPISODES_PER_SEASON = 20


@dataclass(frozen=True)
class ToyFriends:
    """A seeded data set without two equal scenes.

    Each task of `task_fractions` annotates a random part of the train dialogues, so that a source covers words that the
    target's few examples lack. Dev and test dialogues have every task. Without tasks the text comes without
    annotations, for pre-training.
    """

    seed: Natural
    num_train: Count
    num_dev: Count
    num_test: Count
    task_fractions: Mapping[str, Share]
    style: DialogueStyle

    def __post_init__(self) -> None:
        check_tasks(self.task_fractions, options=TASKS)
        if unknown := set(self.style.emotions) - set(EMOTIONS):
            raise ConfigurationError(f"unknown emotions {sorted(unknown)}: choose from {', '.join(EMOTIONS)}")

    def write(self, folder: Path) -> None:
        """Write `folder`/TLiDB_Friends: the JSON file and all id lists, the same bytes for the same arguments."""
        splits = self._splits()
        few_shot = few_shot_ids(splits["train"], dev_ids=splits["dev"], fraction=FEW_SHOT, seed=REFERENCE_SEED)
        metadata = task_metadata([task for task in TASKS if task in self.task_fractions])
        content = json.dumps({"metadata": metadata, "data": list(self._dialogues(splits))}, indent=1)
        write_tlidb(folder, content=content, splits=splits, few_shot=dict(zip(("train", "dev"), few_shot, strict=True)))

    def _splits(self) -> Mapping[str, Sequence[str]]:
        ids = [_dialogue_id(number) for number in range(self.num_train + self.num_dev + self.num_test)]
        shuffled = [str(dialogue_id) for dialogue_id in np.random.default_rng([self.seed, 0]).permutation(ids)]
        end = self.num_train + self.num_dev
        return {
            "train": shuffled[: self.num_train],
            "dev": shuffled[self.num_train : end],
            "test": shuffled[end:],
        }

    def _dialogues(self, splits: Mapping[str, Sequence[str]]) -> Iterator[dict[str, Any]]:
        rng = np.random.default_rng([self.seed, 1])
        excluded = self._excluded(splits["train"])
        for number, scene in enumerate(self._scenes(sum(map(len, splits.values())))):
            dialogue_id = _dialogue_id(number)
            tasks = [task for task in self.task_fractions if dialogue_id not in excluded[task]]
            yield annotate(scene, dialogue_id=dialogue_id, tasks=tasks, rng=rng)

    def _excluded(self, train: Sequence[str]) -> Mapping[str, set[str]]:
        """Return the train dialogues that each task does not annotate."""
        rng = np.random.default_rng([self.seed, 2])
        counts = {task: max(1, round(share * len(train))) for task, share in self.task_fractions.items()}
        return {task: {str(i) for i in rng.permutation(train)[counts[task] :]} for task in TASKS if task in counts}

    def _scenes(self, num_scenes: int) -> Iterator[Sequence[SceneTurn]]:
        rng = np.random.default_rng([self.seed, 3])
        scenes = draw_distinct(
            lambda: write_scene(self.style, rng=rng), key=lambda scene: tuple(turn.utterance for turn in scene)
        )
        return islice(scenes, num_scenes)


def _dialogue_id(number: int) -> str:
    episode, scene = divmod(number, _SCENES_PER_EPISODE)
    season, episode = divmod(episode, _EPISODES_PER_SEASON)
    return f"s{season + 1:02d}_e{episode + 1:02d}_c{scene + 1:02d}"
