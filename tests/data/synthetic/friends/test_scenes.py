import itertools
from dataclasses import replace

import numpy as np
import pytest

from dfwe.data.synthetic.friends.lexicon import EMOTIONS
from dfwe.data.synthetic.friends.scenes import write_scene


@pytest.fixture(scope="module")
def scenes(toy):
    return [write_scene(toy.style, rng=np.random.default_rng(seed)) for seed in range(300)]


def test_nobody_speaks_twice_in_a_row(scenes):
    assert all(before.speaker is not turn.speaker for scene in scenes for before, turn in itertools.pairwise(scene))


def test_scenes_have_the_turns_and_speakers_wanted(scenes, toy):
    assert {len(scene) for scene in scenes} == set(range(toy.style.min_turns, toy.style.max_turns + 1))
    assert {len({turn.speaker for turn in scene}) for scene in scenes} <= {2, 3}


def test_addressee_without_name_is_the_previous_speaker(scenes):
    for scene in scenes:
        assert scene[0].addressee is None or scene[0].opener
        for before, turn in itertools.pairwise(scene):
            is_named = turn.opener and not turn.kinship
            assert turn.addressee is not None
            assert is_named or turn.addressee is before.speaker


def test_pronouns_refer_to_the_last_named_agent(scenes):
    found = 0
    for scene in scenes:
        last = None
        for deed in [turn.event for turn in scene if turn.event]:
            if deed.reference in ("he", "she"):
                found += 1
                assert deed.agent is last
            last = deed.agent if deed.is_named else last
    assert found > 20


def test_first_turn_has_an_event(scenes):
    assert all(scene[0].event for scene in scenes)


def test_scenes_show_every_emotion(scenes):
    assert {turn.emotion.name for scene in scenes for turn in scene} == set(EMOTIONS)


def test_num_cues_takes_the_first_of_the_lexicon(toy):
    style = replace(toy.style, num_cues=2, second_cue=0.0, earlier_cue=0.0)
    scenes = [write_scene(style, rng=np.random.default_rng(seed)) for seed in range(100)]
    used = {turn.statement.cue for scene in scenes for turn in scene if turn.statement}
    assert used == {cue for feeling in EMOTIONS.values() for cue in feeling.cues[:2]}
