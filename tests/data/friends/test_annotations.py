import pytest

from dfwe.data.friends.annotations import (
    LABEL_EXISTS,
    NO_LINE,
    EmotionAnnotation,
    MentionAnnotation,
    PersonalityAnnotation,
    QueryAnnotation,
    QuestionAnnotation,
    QuestionAnswer,
    RelationAnnotation,
    RelationPair,
)
from dfwe.data.friends.scene import Line, Scene, Turn, place
from dfwe.data.friends.tasks import EMORY, MELD

TEXTS = (("Ada Pike", "I saw Vera Quill by the pond."), ("Ross Geller", "Tip - toe past her, and past her again."))


@pytest.fixture
def scene():
    return Scene("s01_e01_c01", [Line((who,), text) for who, text in TEXTS])


@pytest.fixture
def write(scene):
    """Puts a annotation of these turns on the scene; what was dropped."""

    def _write(annotation, *texts):
        placement = place(tuple(Turn((), text) for text in texts or [text for _, text in TEXTS]), scene=scene)
        return annotation.write(scene, placement)

    return _write


def mention_of(scene, number):
    (mention,) = scene.lines[number].annotations["character_identification"]
    return mention


def test_an_emotion_goes_to_its_line(scene, write):
    assert write(EmotionAnnotation(MELD, 1, "joy"), "Vera Quill by the pond.", "past her, and past her again") == {}
    assert [line.annotations for line in scene.lines] == [{}, {MELD: {"label": "joy"}}]


@pytest.mark.parametrize(("last", "label"), [(True, "fear"), (False, "joy")])
def test_a_line_has_one_label_of_a_task(scene, write, last, label):
    halves = ("I saw Vera Quill", "by the pond.")
    assert write(EmotionAnnotation(MELD, 0, "joy", last=last), *halves) == {}
    assert write(EmotionAnnotation(EMORY, 0, "mad"), *halves) == {}
    assert write(EmotionAnnotation(MELD, 1, "fear", last=last), *halves) == {LABEL_EXISTS: 1}
    assert scene.lines[0].annotations == {MELD: {"label": label}, EMORY: {"label": "mad"}}


def test_an_emotion_without_a_line_is_dropped(scene, write):
    assert write(EmotionAnnotation(MELD, 0, "joy"), "Nothing alike!") == {NO_LINE: 1}
    assert all(not line.annotations for line in scene.lines)


def test_a_mention_stands_at_the_same_word_of_the_line(scene, write):
    assert write(MentionAnnotation(0, 8, "Vera Quill", "Vera Quill"), "(I saw) Vera Quill by the pond") == {}
    expected = {"entity": "Vera Quill", "normalized_entity": "other", "start": 6, "entity_reference": "Vera Quill"}
    assert mention_of(scene, 0) == expected


def test_the_second_of_two_equal_words_is_its_own_mention(scene, write):
    assert write(MentionAnnotation(0, 15, "her", "Ross Geller"), "past her, past her again") == {}
    mention = mention_of(scene, 1)
    assert (mention["start"], mention["normalized_entity"]) == (29, "ross")
    assert TEXTS[1][1][29:32] == mention["entity_reference"] == "her"


def test_mention_with_other_blanks_is_complete(scene, write):
    assert write(MentionAnnotation(0, 0, "Tip-toe", "Vera Quill"), "Tip-toe past her, and past her again.") == {}
    assert mention_of(scene, 1)["entity_reference"] == "Tip - toe"


def test_mention_without_agreeing_word_is_searched_in_line(scene, write):
    assert write(MentionAnnotation(0, 0, "pond", "Vera Quill"), "pond: I saw Vera Quill by the") == {}
    assert mention_of(scene, 0)["start"] == TEXTS[0][1].index("pond")


@pytest.mark.parametrize("text", ["I saw Otto by the pond.", "Nothing alike, Otto!"])
def test_a_mention_whose_words_the_scene_lacks_is_dropped(scene, write, text):
    assert write(MentionAnnotation(0, text.index("Otto"), "Otto", "Otto"), text) == {
        "its words are not in the scene's text": 1
    }
    assert all(not line.annotations for line in scene.lines)


def test_a_question_keeps_the_answers_whose_lines_are_there(scene, write):
    answers = tuple(
        QuestionAnswer(turn, text, False) for turn, text in ((0, "the pond"), (1, "a lake"), (0, "the pond"))
    )
    question = QuestionAnnotation("q", "Where?", answers)
    assert write(question, TEXTS[0][1], "At some lake?") == {}
    assert scene.samples["question_answering"] == [
        (question, [(scene.lines[0], answers[0]), (scene.lines[0], answers[2])])
    ]


def test_a_question_without_an_answer_is_dropped(scene, write):
    assert write(QuestionAnnotation("q", "Where?", (QuestionAnswer(0, "a lake", False),)), "At some lake?") == {
        NO_LINE: 1
    }
    assert not scene.samples["question_answering"]


def test_a_personality_has_the_lines_of_its_turns_once(scene, write):
    sample = PersonalityAnnotation("Ada Pike", {"open": "1", "neurotic": "0"})
    assert len(sample) == 2
    assert write(sample, "I saw Vera Quill", "by the pond.", "What?") == {}
    assert scene.samples["personality_detection"] == [(sample, [scene.lines[0]])]


def test_personality_without_lines_drops_all_traits(write):
    assert write(PersonalityAnnotation("Ada Pike", {"open": "1", "neurotic": "0"}), "What?") == {NO_LINE: 2}


def related(write, scene, *pairs, texts=(), speakers=("Speaker 1", "Speaker 2")):
    annotation = RelationAnnotation(
        tuple(RelationPair(head, tail, tuple(codes.split())) for head, tail, codes in pairs), speakers
    )
    assert len(annotation) == len(pairs)
    dropped = write(annotation, *texts)
    samples = scene.samples["relation_extraction"]
    return [(p.head, p.tail, " ".join(p.relations)) for found, _ in samples for p in found], sum(dropped.values())


def test_hidden_speakers_get_the_names_of_their_lines(scene, write):
    pairs = [("Speaker 1", "Vera", "per:boss"), ("Speaker 2", "Speaker 1", "per:friends per:dates")]
    expected = [("Ada Pike", "Vera", "per:boss"), ("Ross Geller", "Ada Pike", "per:friends per:dates")]
    assert related(write, scene, *pairs) == (expected, 0)
    assert scene.samples["relation_extraction"][0][1] == scene.lines


def test_relations_from_first_line_include_opening_note(scene, write):
    scene.lines.insert(0, Line((), "[ Scene: a pond. ]"))
    related(write, scene, ("Speaker 1", "Vera", "per:boss"))
    related(write, scene, ("Speaker 2", "Vera", "per:boss"), texts=TEXTS[1][1:], speakers=("Speaker 2",))
    assert [lines for _, lines in scene.samples["relation_extraction"]] == [scene.lines, scene.lines[2:]]


def test_alternate_names_name_hidden_speakers(scene, write):
    pairs = [
        ("Speaker 2", "Rossy", "per:alternate_names"),
        ("Speaker 2", "Vera", "per:boss"),
        ("Speaker 3", "Otto", "per:alternate_names"),
        ("Speaker 3", "Otty", "per:alternate_names"),
        ("Vera", "Speaker 3", "per:client"),
    ]
    assert related(write, scene, *pairs) == ([("Ross Geller", "Vera", "per:boss"), ("Vera", "Otto", "per:client")], 3)


def test_a_speaker_whom_nothing_names_stays_hidden(scene, write):
    assert related(write, scene, ("Speaker 9", "Vera", "per:boss")) == ([("Speaker 9", "Vera", "per:boss")], 0)


def test_relations_of_merged_pairs_are_joined(scene, write):
    pairs = [
        ("Speaker 1", "Vera", "unanswerable"),
        ("Ada Pike", "Vera", "per:boss"),
        ("Speaker 1", "Ada Pike", "per:friends"),
    ]
    assert related(write, scene, *pairs) == ([("Ada Pike", "Vera", "per:boss")], 2)


def test_unanswerable_stays_where_it_is_alone(scene, write):
    assert related(write, scene, ("Vera", "Otto", "unanswerable")) == ([("Vera", "Otto", "unanswerable")], 0)


def test_nothing_is_written_where_all_pairs_go(scene, write):
    assert related(write, scene, ("Vera", "Vee", "per:alternate_names")) == ([], 1)
    assert not scene.samples["relation_extraction"]


def test_relations_without_lines_are_dropped(scene, write):
    pairs = [("Vera", "Otto", "per:boss"), ("Otto", "Vera", "per:client")]
    assert related(write, scene, *pairs, texts=["What?", "No."]) == ([], 2)


@pytest.mark.parametrize("speakers", [("#ALL#",), ("@ent01",), ("Speaker 7",), ("Ada Pike", "Ross Geller"), ()])
def test_a_line_that_names_nobody_names_no_speaker(scene, write, speakers):
    scene.lines[0].speakers = speakers
    assert related(write, scene, ("Speaker 1", "Vera", "per:boss")) == ([("Speaker 1", "Vera", "per:boss")], 0)


def test_a_query_is_kept_as_it_is(scene, write):
    query = QueryAnnotation("@placeholder hides .", "@ent00")
    assert write(query) == {}
    assert scene.samples["reading_comprehension"] == [query]
