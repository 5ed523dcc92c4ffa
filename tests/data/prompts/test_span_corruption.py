import numpy as np
import pytest

from dfwe.data.prompts.span_corruption import SpanCorruption, draw_spans
from dfwe.data.prompts.template import row_dialogue
from dfwe.data.readers.base import RowError

CELLS = {"first": "the old lamp  was lost by Walt", "second": "so he went home at noon with a new one again today"}


def prompt(**changes):
    settings = {
        "columns": ["first", "second"],
        "density": 0.3,
        "mean_length": 2,
        "sentinel": "<{}>",
        "prompt": " words:",
    }
    return SpanCorruption(task="spans", **{**settings, **changes})


def asked(cells=CELLS, *, row_id="r1", seed=0, max_words=0, **changes):
    row = row_dialogue(cells, row_id=row_id, path="table.csv", line=2)
    return next(prompt(**changes).instances(row, max_words=max_words, seed=seed))


def restored(instance):
    """Put the answer's spans back into the text."""
    spans, name = {}, ""
    for word in instance.targets[0].split():
        if word.startswith("<"):
            name, spans[word] = word, []
        else:
            spans[name].append(word)
    assert spans.popitem()[1] == []  # the sentinel that ends the answer
    words = instance.context.split()
    assert [word for word in words if word in spans] == list(spans)
    return " ".join(" ".join(spans.get(word, [word])) for word in words)


@pytest.mark.parametrize("seed", range(20))
def test_the_answers_spans_fill_the_gaps(seed):
    instance = asked(seed=seed)
    assert restored(instance) == " ".join(" ".join(CELLS.values()).split())
    assert (instance.prompt, instance.references) == (" words:", instance.targets)


def test_a_sentence_of_six_words_loses_two():
    instance = asked({"first": "a b c d e f"}, columns=["first"], sentinel="[MASK]")
    place = "abcdef".index(instance.targets[0].split()[1])
    expected = [*"abcdef"]
    assert instance.targets == (f"[MASK] {' '.join(expected[place : place + 2])} [MASK]",)
    expected[place : place + 2] = ["[MASK]"]
    assert instance.context == " ".join(expected)


def test_equal_seeds_and_rows_draw_equal_spans():
    assert asked(seed=3) == asked(seed=3)
    assert len({asked(seed=seed).context for seed in range(10)}) > 1
    assert len({asked(row_id=str(row)).context for row in range(10)}) > 1


def test_a_long_text_keeps_its_last_words():
    assert restored(asked(max_words=5)) == "a new one again today"


def test_a_row_with_an_empty_cell_is_refused():
    with pytest.raises(RowError, match="'second' is empty"):
        asked({"first": "words", "second": " "})


@pytest.mark.parametrize("length", [1, 2, 3, 7, 40])
@pytest.mark.parametrize(("density", "mean_length"), [(0.15, 3), (0.5, 1), (0.9, 1), (0.01, 3)])
def test_spans_lie_apart_in_the_text(length, density, mean_length):
    generator = np.random.default_rng(0)
    for _ in range(20):
        spans = draw_spans(length, density=density, mean_length=mean_length, generator=generator)
        edges = [edge for span in spans for edge in span]
        assert edges == sorted(set(edges))
        assert 0 <= edges[0] <= edges[-1] <= length
        assert sum(end - first for first, end in spans) == max(round(length * density), 1)


def test_spans_have_the_mean_length_and_reach_every_word():
    generator = np.random.default_rng(0)
    drawn = [draw_spans(20, density=0.3, mean_length=3, generator=generator) for _ in range(500)]
    assert {len(spans) for spans in drawn} == {2}
    counts = np.bincount([word for spans in drawn for first, end in spans for word in range(first, end)], minlength=20)
    assert counts.min() > 50
