"""Cosines between what was measured of tasks, by hand."""

import math

import pytest
import torch
from safetensors.torch import load_file, save_file

from dfwe.errors import ConfigurationError
from dfwe.families.classifier.family import ClassifierFamily
from dfwe.families.multi_head.family import MultiHeadFamily
from dfwe.families.statistics.mean_gradient import MeanGradient
from dfwe.stages.statistics import file_of
from dfwe.studies.plan import load_plan
from dfwe.studies.source_selection.similarity import TaskSimilarity, _tensors, cosines_to_first

NAMES = ["target", "a", "b"]
GRADIENTS = TaskSimilarity(measure=MeanGradient(examples=5, answers="text"), compare="cosine")


def cosines(*vectors, compare="cosine"):
    """In two pieces: the first value alone, then the others."""
    whole = torch.tensor(vectors)
    return cosines_to_first(iter([whole[:, :1], whole[:, 1:]]), compare=compare, names=NAMES[: len(vectors)])


def test_a_cosine_is_taken_over_all_pieces_together():
    assert cosines([3.0, 4.0, 0.0], [4.0, 3.0, 0.0], [-6.0, -8.0, 0.0]) == pytest.approx([24 / 25, -1.0])


def test_lengths_do_not_count():
    assert cosines([1.0, 1.0], [5.0, 0.0], [1e-6, 0.0]) == pytest.approx([math.sqrt(0.5)] * 2)


def test_centred_vectors_are_without_what_all_have_in_common():
    """The mean is (10, 1, 1): what is left are (0, 2, -1), (0, 0, 0.5) and (0, -2, 0.5)."""
    found = cosines([10.0, 3.0, 0.0], [10.0, 1.0, 1.5], [10.0, -1.0, 1.5], compare="centred")
    assert found == pytest.approx([-0.5 / (math.sqrt(5) * 0.5), -4.5 / math.sqrt(5 * 4.25)])


def test_shares_weigh_every_value_alike_and_leave_out_those_that_are_zero():
    """Of (1, 300, 0) and (3, 100, 0) the shares are (1/4, 3/4) and (3/4, 1/4)."""
    found = cosines([1.0, 300.0, 0.0], [3.0, 100.0, 0.0], [1.0, 300.0, 0.0], compare="shares")
    assert found == pytest.approx([2 * (3 / 16) / (10 / 16), 1.0])


@pytest.mark.parametrize("compare", ["cosine", "centred", "shares"])
def test_what_is_zero_is_an_error_that_names_it(compare):
    with pytest.raises(ConfigurationError, match="b at the parent is zero, so that nothing can be compared"):
        cosines([1.0, 2.0], [2.0, 1.0], [0.0, 0.0], compare=compare)


def test_what_is_not_finite_is_an_error():
    with pytest.raises(ConfigurationError, match="a at the parent is not finite"):
        cosines([1.0, 2.0], [math.nan, 1.0])


def test_a_task_that_is_the_mean_of_all_cannot_be_centred():
    with pytest.raises(ConfigurationError, match="target at the parent is zero once their mean is taken off"):
        cosines([2.0, 2.0], [1.0, 3.0], [3.0, 1.0], compare="centred")


def test_negative_values_have_no_shares():
    with pytest.raises(ConfigurationError, match="compare=shares is for values that are at least 0"):
        cosines([1.0, 2.0], [1.0, -1.0], compare="shares")


@pytest.mark.parametrize("family", [MultiHeadFamily, ClassifierFamily])
def test_a_tasks_own_head_does_not_count(family, tmp_path):
    for name, head in (("target", 1.0), ("a", 50.0)):
        save_file({"encoder.w": torch.tensor([3.0, 4.0]), f"heads.{name}.w": torch.tensor([head])}, tmp_path / name)
    (found,) = _tensors([tmp_path / "target", tmp_path / "a"], head_prefix=family.head_prefix)
    assert found.tolist() == [[3.0, 4.0]] * 2


def test_the_scores_are_the_cosines_of_the_stored_gradients(small, tmp_path):
    draft = load_plan(small(tmp_path))
    store = draft.family.context.store
    inputs = GRADIENTS.inputs(draft.factory, target=draft.target, candidates=draft.candidates, seed=0)
    scores = GRADIENTS.scores(inputs, store=store)
    files = [stage.find(store).file(file_of(0)) for _, stage in inputs.parts()]
    vectors = [torch.cat([tensor.flatten() for tensor in load_file(file).values()]) for file in files]
    assert len(vectors[0]) == sum(parameter.numel() for parameter in draft.family.model(()).parameters())
    expected = [float(torch.cosine_similarity(vectors[0], other, dim=0)) for other in vectors[1:]]
    assert list(scores) == ["emory_emotion", "personality"]
    assert list(scores.values()) == pytest.approx(expected, abs=1e-5)


def test_a_task_is_measured_once_for_all_targets_and_comparisons(small, tmp_path):
    digests = []
    for target, source in (("meld", "personality"), ("personality", "meld")):
        draft = load_plan(small(tmp_path, f"+target={target}", f"sources=[{source}]"))
        for way in (GRADIENTS, TaskSimilarity(measure=GRADIENTS.measure, compare="centred")):
            found = way.inputs(draft.factory, target=draft.target, candidates=draft.candidates, seed=0)
            digests.append({stage.digest for _, stage in found.parts()})
        other = GRADIENTS.inputs(draft.factory, target=draft.target, candidates=draft.candidates, seed=1)
        assert not digests[-1] & {stage.digest for _, stage in other.parts()}
    assert len(digests[0]) == 2
    assert all(each == digests[0] for each in digests)
