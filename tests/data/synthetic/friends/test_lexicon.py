from dfwe.data.synthetic.friends.lexicon import EMOTIONS, KINSHIPS


def test_cues_show_one_emotion_and_are_not_labels():
    cues = [cue for feeling in EMOTIONS.values() for cue in feeling.cues]
    labels = {label for feeling in EMOTIONS.values() for label in (feeling.meld, feeling.emory)}
    assert len(cues) == len(set(cues)) == 108
    assert not labels & set(cues)


def test_emotions_cover_both_label_sets():
    meld = ["anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise"]
    emory = ["joyful", "mad", "neutral", "peaceful", "powerful", "sad", "scared"]
    assert sorted({feeling.meld for feeling in EMOTIONS.values()}) == meld
    assert sorted({feeling.emory for feeling in EMOTIONS.values()}) == emory


def test_label_sets_do_not_determine_each_other():
    pairs = {(feeling.meld, feeling.emory) for feeling in EMOTIONS.values()}
    assert len(pairs) > max(len({meld for meld, _ in pairs}), len({emory for _, emory in pairs}))


def test_kinships_reversed_twice_are_the_same():
    assert all(KINSHIPS[kinship.reverse].reverse == code for code, kinship in KINSHIPS.items())
