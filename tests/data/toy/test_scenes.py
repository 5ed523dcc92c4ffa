import itertools
from dataclasses import replace

import numpy as np
import pytest

from dfwe.data.toy.lexicon import FEELINGS
from dfwe.data.toy.scenes import write_scene


@pytest.fixture(scope="module")
def scenes(toy):
    return [write_scene(toy.manner, rng=np.random.default_rng(seed)) for seed in range(300)]


def test_nobody_speaks_twice_in_a_row(scenes):
    assert all(before.speaker is not turn.speaker for scene in scenes for before, turn in itertools.pairwise(scene))


def test_scenes_have_the_turns_and_speakers_wanted(scenes, toy):
    assert {len(scene) for scene in scenes} == set(range(toy.manner.min_turns, toy.manner.max_turns + 1))
    assert {len({turn.speaker for turn in scene}) for scene in scenes} <= {2, 3}


def test_without_a_name_the_speaker_before_is_addressed(scenes):
    for scene in scenes:
        assert scene[0].addressee is None or scene[0].opener
        for before, turn in itertools.pairwise(scene):
            is_named = turn.opener and not turn.kinship
            assert turn.addressee is not None
            assert is_named or turn.addressee is before.speaker


def test_he_and_she_mean_whom_a_deed_was_last_told_of(scenes):
    found = 0
    for scene in scenes:
        last = None
        for deed in [turn.deed for turn in scene if turn.deed]:
            if deed.word in ("he", "she"):
                found += 1
                assert deed.agent is last
            last = deed.agent if deed.is_named else last
    assert found > 20


def test_every_first_turn_tells_a_deed(scenes):
    assert all(scene[0].deed for scene in scenes)


def test_every_feeling_occurs(scenes):
    assert {turn.feeling.name for scene in scenes for turn in scene} == set(FEELINGS)


def test_few_cues_are_the_first_of_the_lexicon(toy):
    manner = replace(toy.manner, num_cues=2, paired=0.0, shifted=0.0)
    scenes = [write_scene(manner, rng=np.random.default_rng(seed)) for seed in range(100)]
    used = {turn.mood.cue for scene in scenes for turn in scene if turn.mood}
    assert used == {cue for feeling in FEELINGS.values() for cue in feeling.cues[:2]}
