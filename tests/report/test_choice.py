"""What was chosen, in words."""

from dfwe.report.choice import choice_parts

RANKING = [
    {"task": "b", "rank": 0.2, "scores": {"transfer": 0.031, "gradients": 0.9}},
    {"task": "a", "rank": 0.5, "scores": {"gradients": 0.25}},
    {"task": "c", "rank": 0.8, "scores": {"transfer": -0.01, "gradients": -0.1}},
]


def test_the_taken_come_first_then_the_others_each_with_its_scores():
    choice = {"by": ["transfer", "gradients"], "taken": ["a", "b"], "ranking": RANKING, "unknown": ["d"]}
    (text,) = choice_parts(choice)
    assert str(text) == (
        "Sources chosen by transfer, gradients: b (transfer +0.031, gradients +0.900), a (gradients +0.250); "
        "before c (transfer -0.010, gradients -0.100); nothing is known of d."
    )


def test_where_all_are_taken_there_are_no_others():
    choice = {"by": ["gradients"], "taken": ["a"], "ranking": RANKING[1:2], "unknown": []}
    assert [str(text) for text in choice_parts(choice)] == ["Sources chosen by gradients: a (gradients +0.250)."]


def test_without_a_choice_there_are_no_words():
    assert choice_parts(None) == ()
