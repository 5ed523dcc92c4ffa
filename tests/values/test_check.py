"""What is refused, and in which words."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest

from dfwe.errors import ConfigurationError
from dfwe.values.allowed import As, Count, Known, OneOf, Pattern, Positive, Share, Within
from dfwe.values.check import check
from dfwe.values.signature import Part

TIES = {
    "_target_": "dfwe.merging.methods.sparse.Ties",
    "density": 0.2,
    "scale": 1.0,
    "trim": "model",
    "aggregate": "mean",
}


@dataclass
class Fit:
    epochs: Count
    rate: Positive


@dataclass
class Root:
    fit: Fit
    anything: Any
    rule: Annotated[Any, As(Part)]
    names: list[str]
    tokens: dict[Annotated[str, OneOf("cpu", "cuda")], Count]


REFUSED = [
    (0, Count, "k=0: expected a whole number of at least 1"),
    (True, Count, "k=true: expected a whole number of at least 1"),
    (2.0, Count, "k=2.0: expected a whole number of at least 1"),
    (0.0, Positive, "k=0.0: expected a number above 0"),
    (float("nan"), Positive, "k=nan: expected a finite number above 0"),
    (float("inf"), float, "k=inf: expected a finite number"),
    (1.5, Share, "k=1.5: expected a number from 0 to 1"),
    (0.5, Annotated[float, Within(at_least=0, below=0.5)], "k=0.5: expected a number of at least 0 and below 0.5"),
    (None, Count, "k=null: expected a whole number of at least 1"),
    (-1, Count | None, "k=-1: expected a whole number of at least 1 or null"),
    ("no", bool, "k=no: expected true or false"),
    (True, str, "k=true: expected a text; YAML reads bare yes, no, on, off and numbers as other than texts: put it in"),
    ("menn", Literal["mean", "sum"], "k=menn: expected mean or sum (did you mean mean?)"),
    ("(", Pattern, "k=(: expected a text that is a regular expression"),
    ("a\nb\x1b", Count, "k=a b : expected a whole number"),
    ([1, 0], list[Count], "k[1]=0: expected a whole number of at least 1"),
    (3, list[Count], "k=3: expected a list, each a whole number of at least 1"),
    ({"a": {"b": float("nan")}}, Any, "k.a.b=nan: expected a finite number"),
    ({"epochs": 0}, Fit, "k.epochs=0: expected a whole number of at least 1"),
    ({"epoch": 1}, Fit, "k.epoch: there is no such key (did you mean epochs?); k has epochs, rate"),
    ({"epochs": 1}, Root, "k.epochs: there is no such key (did you mean k.fit.epochs?)"),
    ({"tokens": {"tpu": 1}}, Root, "k.tokens.tpu: expected as key cpu or cuda"),
    ({"tokens": {"cpu": 0}}, Root, "k.tokens.cpu=0: expected a whole number of at least 1"),
    ({"rule": 3}, Root, "k.rule=3: expected a part (a _target_)"),
    (TIES | {"density": 2}, Part, "k.density=2: expected a number above 0 and of at most 1"),
    (
        TIES | {"densty": 1},
        Part,
        "k.densty: there is no such key (did you mean density?); k has aggregate, density, scale,",
    ),
    (TIES | {"trim": "tree"}, Part, "k.trim=tree: expected model or tensor"),
    (
        {"_target_": "dfwe.merging.methods.sparse.Tise"},
        Part,
        "k._target_=dfwe.merging.methods.sparse.Tise: there is no such class",
    ),
    ({"_target_": "dfwe.merging.tise.Ties"}, Part, "k._target_=dfwe.merging.tise.Ties: there is no such class"),
    (
        {"_target_": "mine.Part"},
        Part,
        "k._target_=mine.Part: there is no such class or function; set PYTHONPATH to the",
    ),
    ({"_target_": "nowhere"}, Part, "k._target_=nowhere: there is no such class or function"),
    ({"_target_": 3}, Part, "k._target_=3: expected the full name of a class"),
    ({"d_model": 0}, Annotated[dict[str, Any], Known({"d_model": Count})], "k.d_model=0: expected a whole number"),
]


@pytest.mark.parametrize(("value", "annotation", "message"), REFUSED)
def test_check_names_key_value_and_what_is_allowed(value, annotation, message):
    with pytest.raises(ConfigurationError) as refused:
        check(value, annotation, key="k")
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize(
    ("value", "annotation"),
    [
        (1, Count),
        (1, Positive),  # a whole number is a number
        (None, Count | None),
        ("???", Count),  # OmegaConf's: missing, which is asked for elsewhere
        ([], list[Count]),
        (TIES, Part),
        ({"_target_": "torch.optim.Adam", "lr": 3, "whatever": 1}, Part),  # of a library's source nothing is known
        (
            {"_target_": "dfwe.search.optimizers.nevergrad.NevergradSearch", "crossover": "twopoints"},
            Part,
        ),  # takes any option
        ({"d_model": 1, "other": 0}, Annotated[dict[str, Any], Known({"d_model": Count})]),
    ],
)
def test_check_accepts(value, annotation):
    check(value, annotation, key="k")


def test_check_at_the_root_begins_with_the_key():
    with pytest.raises(ConfigurationError, match=r"^fit.rate=-1: expected a number above 0$"):
        check({"fit": {"rate": -1}}, Root, key="")
    with pytest.raises(ConfigurationError, match=r"^foo: there is no such key; a study has anything, fit, "):
        check({"foo": 1}, Root, key="")
