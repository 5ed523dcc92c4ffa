"""Confusion matrices."""

from dfwe.report.figures.scores import MOST_LABELS, NO_LABEL, OTHER, count_confusions, draw_confusion


def test_rows_are_gold_labels_and_columns_answers():
    rows, columns, counts = count_confusions(["a", "a", "b"], answers=["a", "b", "b"], labels=["a", "b"])
    assert (rows, columns) == (("a", "b"), ("a", "b"))
    assert counts.tolist() == [[1, 1], [0, 1]]


def test_confusions_without_a_label_have_a_column():
    _, columns, counts = count_confusions(["a", "b"], answers=["a", "nonsense"], labels=["a", "b"])
    assert columns == ("a", "b", NO_LABEL)
    assert counts.tolist() == [[1, 0, 0], [0, 0, 1]]


def test_confusions_of_rare_labels_share_a_row():
    labels = [f"l{number:02}" for number in range(MOST_LABELS + 3)]
    gold = [label for number, label in enumerate(labels) for _ in range(number + 1)]
    rows, columns, counts = count_confusions(gold, answers=gold, labels=labels)
    assert rows == columns == (*labels[4:], OTHER)
    assert counts[-1, -1] == 1 + 2 + 3 + 4
    assert counts.trace() == len(gold)


def test_numbers_are_drawn_in_their_cells():
    rows, columns, counts = count_confusions(["a", "a", "b"], answers=["a", "b", "b"], labels=["a", "b"])
    (axes,) = draw_confusion(rows, columns=columns, counts=counts).axes
    assert {text.get_position(): text.get_text() for text in axes.texts} == {(0, 0): "1", (1, 0): "1", (1, 1): "1"}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("answer", "gold")
