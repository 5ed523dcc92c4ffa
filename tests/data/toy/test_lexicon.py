from dfwe.data.toy.lexicon import FEELINGS, KINSHIPS


def test_every_cue_shows_one_feeling_and_is_no_label():
    cues = [cue for feeling in FEELINGS.values() for cue in feeling.cues]
    labels = {label for feeling in FEELINGS.values() for label in (feeling.meld, feeling.emory)}
    assert len(cues) == len(set(cues)) == 108
    assert not labels & set(cues)


def test_the_feelings_cover_both_label_sets():
    meld = ["anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise"]
    emory = ["joyful", "mad", "neutral", "peaceful", "powerful", "sad", "scared"]
    assert sorted({feeling.meld for feeling in FEELINGS.values()}) == meld
    assert sorted({feeling.emory for feeling in FEELINGS.values()}) == emory


def test_neither_label_set_follows_from_the_other():
    pairs = {(feeling.meld, feeling.emory) for feeling in FEELINGS.values()}
    assert len(pairs) > max(len({meld for meld, _ in pairs}), len({emory for _, emory in pairs}))


def test_the_reverse_of_the_reverse_of_a_kinship_is_itself():
    assert all(KINSHIPS[kinship.reverse].reverse == code for code, kinship in KINSHIPS.items())
