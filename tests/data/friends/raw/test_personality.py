import pytest

from dfwe.data.friends.annotations import PersonalityAnnotation
from dfwe.data.friends.raw import excerpts
from dfwe.data.friends.scene import Turn

HEADER = ",scene_id,text,character,cAGR,cCON,cEXT,cOPN,cNEU\n"
HTML = "<b>s01_e01_c01(0) for Ada Pike</b><br><br>{}"


def read(lay, *, text, scene="01_e01_c01", traits="1,0,1,0,1"):
    row = f'0,{scene},"{HTML.format(text)}",Ada Pike,{traits}\n'
    return excerpts.read_personality(lay({"personality/friends-personality.csv": (HEADER + row).encode()}))


@pytest.mark.parametrize(
    ("text", "turns"),
    [
        ("<b>Ada Pike</b>: Hum.<br><br><b>Ben</b>: Ho.<br><br>", [Turn(("Ada Pike",), "Hum."), Turn(("Ben",), "Ho.")]),
        ("<b>Ada</b>: <i>I&#39;m</i> here &amp; there.<br>", [Turn(("Ada",), "I'm here & there.")]),
        ("<b>Ada</b>: (sighs) Well (sits) then<br>", [Turn(("Ada",), "Well then")]),
        ("<b>Ada</b>: (sighs)<br>(A bell rings.)<br>", [Turn(("Ada",), "(sighs)"), Turn((), "(A bell rings.)")]),
        ("<b>Ada</b>: two\nlines<br><b>Ben</b>:  <br>", [Turn(("Ada",), "two lines")]),
        ("<b>Ada</b>: a: b<br>", [Turn(("Ada",), "a: b")]),
    ],
)
def test_turns_are_read_from_html(lay, text, turns):
    (sample,) = read(lay, text=text).excerpts
    assert list(sample.turns) == turns


def test_a_sample_tells_its_scene_character_and_traits(lay):
    (sample,) = read(lay, text="<b>Ada</b>: Hum.<br>").excerpts
    traits = {"aggreeable": "1", "conscientious": "0", "extroverted": "1", "open": "0", "neurotic": "1"}
    assert sample.annotations == (PersonalityAnnotation("Ada Pike", traits),)
    assert (sample.scene_id, sample.whole, sample.divisible) == ("s01_e01_c01", False, False)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"text": ""}, "it has no turn"),
        ({"text": "<b>Ada</b>: Hum.", "traits": "1,0,1,0,2"}, "a trait is '2', expected 0 or 1"),
        ({"text": "<b>Ada</b>: Hum.", "traits": "1,0,1,0,"}, "a trait is '', expected 0 or 1"),
        ({"text": "<b>Ada</b>: Hum.", "traits": "1,0,1,0"}, "8 fields, expected 9"),
        ({"text": "<b>Ada</b>: Hum.", "scene": "s01_e01_c01"}, "'ss01_e01_c01' is not a scene id"),
    ],
)
def test_unreadable_sample_is_an_invalid_row(lay, changes, reason):
    (bad,) = read(lay, **changes).report.invalid
    assert bad.line == 2
    assert bad.reason.startswith(reason)


def test_a_missing_release_is_empty(tmp_path):
    reading = excerpts.read_personality(tmp_path)
    assert (reading.excerpts, reading.report.num_rows) == ((), 0)
    assert reading.missing == ("friends-personality.csv",)
