"""The toy world as a TLiDB data set on disk."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dfwe.data.toy.annotations import TASKS, annotate
from dfwe.data.toy.dialogue import DialogueStyle, Turn
from dfwe.data.toy.lexicon import FEELINGS
from dfwe.data.toy.metadata import task_metadata
from dfwe.data.toy.scenes import write_scene
from dfwe.errors import ConfigurationError
from dfwe.io.files import make_folder, write_text
from dfwe.records import Split
from dfwe.values.allowed import Count, Natural, Share

_FEW_SHOT_SHARE = 0.1  # of the train and dev dialogues, as the benchmark's lists
_FEW_SHOT_SEED = 2530  # the benchmark's
_SCENES_AN_EPISODE = 10
_EPISODES_A_SEASON = 20


@dataclass(frozen=True)
class ToyFriends:
    """A seeded data set; all scenes differ.

    `annotated` names the tasks; each annotates its own random share of the train dialogues, so that a source covers
    words that the target's few examples leave out. Dev and test dialogues have every task. Without tasks the text
    comes bare, for pre-training.
    """

    seed: Natural
    num_train: Count
    num_dev: Count
    num_test: Count
    annotated: Mapping[str, Share]
    manner: DialogueStyle

    def __post_init__(self) -> None:
        if unknown := set(self.annotated) - set(TASKS):
            raise ConfigurationError(f"the toy data has no task {sorted(unknown)}: its tasks are {', '.join(TASKS)}")
        if unknown := set(self.manner.feelings) - set(FEELINGS):
            raise ConfigurationError(f"unknown feelings {sorted(unknown)}: choose among {', '.join(FEELINGS)}")

    def write(self, folder: Path) -> None:
        """Writes `folder`/TLiDB_Friends: the JSON file and all id lists, the same bytes for the same arguments."""
        root = folder / "TLiDB_Friends"
        make_folder(root)
        splits = self._splits()
        lists = {f"TTiDB_{split}_ids.txt": ids for split, ids in splits.items()}
        draw = random.Random(_FEW_SHOT_SEED)  # train first, then dev: the benchmark's order
        for split in ("train", "dev"):
            few = draw.sample(sorted(splits[split]), int(len(splits[split]) * _FEW_SHOT_SHARE))
            lists[f"TTiDB_{_FEW_SHOT_SHARE}_percent_few_shot_{split}_ids.txt"] = few
        for name, ids in lists.items():
            write_text(root / name, "".join(f"{dialogue_id}\n" for dialogue_id in sorted(ids)))
        data = {
            "metadata": task_metadata([task for task in TASKS if task in self.annotated]),
            "data": list(self._dialogues(splits)),
        }
        write_text(root / "TLiDB_Friends.json", json.dumps(data, indent=1))

    def _splits(self) -> Mapping[Split, Sequence[str]]:
        ids = [_dialogue_id(number) for number in range(self.num_train + self.num_dev + self.num_test)]
        shuffled = [str(one) for one in np.random.default_rng([self.seed, 0]).permutation(ids)]
        end = self.num_train + self.num_dev
        return {
            "train": shuffled[: self.num_train],
            "dev": shuffled[self.num_train : end],
            "test": shuffled[end:],
        }

    def _dialogues(self, splits: Mapping[Split, Sequence[str]]) -> Iterator[dict[str, Any]]:
        rng = np.random.default_rng([self.seed, 1])
        left_out = self._left_out(splits["train"])
        scenes = self._scenes(sum(map(len, splits.values())))
        for number, scene in enumerate(scenes):
            dialogue_id = _dialogue_id(number)
            tasks = [task for task in self.annotated if dialogue_id not in left_out[task]]
            yield annotate(scene, dialogue_id=dialogue_id, tasks=tasks, rng=rng)

    def _left_out(self, train: Sequence[str]) -> Mapping[str, set[str]]:
        """The train dialogues that each task does not annotate."""
        rng = np.random.default_rng([self.seed, 2])
        kept = {task: max(1, round(share * len(train))) for task, share in self.annotated.items()}
        return {task: {str(one) for one in rng.permutation(train)[kept[task] :]} for task in TASKS if task in kept}

    def _scenes(self, num_scenes: int) -> Iterator[Sequence[Turn]]:
        rng = np.random.default_rng([self.seed, 3])
        told: set[tuple[str, ...]] = set()
        while len(told) < num_scenes:
            scene = write_scene(self.manner, rng=rng)
            text = tuple(turn.utterance for turn in scene)
            if text not in told:
                told.add(text)
                yield scene


def _dialogue_id(number: int) -> str:
    episode, scene = divmod(number, _SCENES_AN_EPISODE)
    season, episode = divmod(episode, _EPISODES_A_SEASON)
    return f"s{season + 1:02d}_e{episode + 1:02d}_c{scene + 1:02d}"
