import pytest

from dfwe.data.friends.words import Word, detokenise, without_notes, words_of


def test_words_ignore_case_punctuation_and_apostrophes():
    assert words_of("Don’t—I'M Vera!") == (Word("dont", 0, 5), Word("im", 6, 9), Word("vera", 10, 14))


@pytest.mark.parametrize("text", ["I'm", "I’m", "I`m", "I´m", "IM", "im"])
def test_all_apostrophes_give_the_same_word(text):
    assert [word.key for word in words_of(text)] == ["im"]


def test_a_code_is_one_word():
    assert [word.key for word in words_of("Ask @ent07, not ent07.")] == ["ask", "@ent07", "not", "ent07"]


@pytest.mark.parametrize("text", ["", "  ", "...", "?! -- _"])
def test_punctuation_has_no_words(text):
    assert words_of(text) == ()


def test_a_detokenised_text_has_the_same_words():
    tokens = "He 's gon na paint `` the boat '' , is n't he ?"
    assert [w.key for w in words_of(detokenise(tokens))] == ["hes", "gonna", "paint", "the", "boat", "isnt", "he"]


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        ("I 'm gon na go .", "I'm gonna go."),
        ("You ca n't , can not you ?", "You can't, cannot you?"),
        ("WO N'T !", "WON'T!"),
        ("I wan na , I 've got ta .", "I wanna, I've got ta."),
        ("Say `` plum '' now", 'Say " plum " now'),
        ("Well .... no", "Well ... no"),
        ("Wait ... what", "Wait ... what"),
        ("the boys ' room", "the boys' room"),
        ("( a bell )", "( a bell )"),
        ("50 % ;", "50%;"),
        ("", ""),
    ],
)
def test_tokens_are_joined_as_people_write(tokens, text):
    assert detokenise(tokens) == text


def test_what_is_said_comes_without_directions():
    assert without_notes("(waving) Hey [to Ada] you!") == "Hey you!"


def test_a_text_that_is_a_direction_stays():
    assert without_notes("( A bell  rings. )") == "( A bell rings. )"
