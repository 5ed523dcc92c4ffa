"""Identity of results: where a class stands in our code is not part of it."""

import json
from itertools import pairwise

import pytest

from dfwe.conf import conf_dir
from dfwe.store.card import identity, spec_digest


def test_digest_same_wherever_a_class_of_ours_stands():
    here = {"method": {"_target_": "dfwe.merging.methods.sparse.Ties", "density": 0.2}}
    there = {"method": {"_target_": "dfwe.merging.methods.ties.Ties", "density": 0.2}}
    assert spec_digest("merge", here) == spec_digest("merge", there)


@pytest.mark.parametrize(
    "other",
    [
        {"_target_": "dfwe.merging.methods.linear.Linear", "density": 0.2},
        {"_target_": "dfwe.merging.methods.sparse.Ties", "density": 0.3},
        {"_target_": "theirs.ties.Ties", "density": 0.2},
        {"class": "theirs.ties.Ties", "density": 0.2},
    ],
)
def test_digest_differs_by_class_and_by_argument(other):
    spec = {"method": {"_target_": "dfwe.merging.methods.sparse.Ties", "density": 0.2}}
    assert spec_digest("merge", spec) != spec_digest("merge", {"method": other})


def test_identity_reaches_every_depth_and_keeps_the_rest():
    spec = {"metrics": ({"_target_": "dfwe.metrics.accuracy.Accuracy"}, [{"_target_": "mine.Metric"}]), "seed": 1}
    assert identity(spec) == {"metrics": [{"class": "Accuracy"}, [{"class": "mine.Metric"}]], "seed": 1}
    json.dumps(identity(spec))


def test_no_two_classes_in_yaml_share_a_name():
    paths = {path for file in conf_dir().rglob("*.yaml") for path in targets(file.read_text())}
    names = [path.rpartition(".")[2] for path in paths]
    assert len(paths) > 90
    assert sorted(names) == sorted(set(names))


def targets(text):
    words = text.replace("{", " ").replace("}", " ").replace(",", " ").split()
    return [after for word, after in pairwise(words) if word == "_target_:" and "dfwe." in after]
