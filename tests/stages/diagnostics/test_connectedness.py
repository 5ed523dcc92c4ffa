"""How connected experts are."""

import io
from types import SimpleNamespace

import pytest
import torch
from rich.console import Console

from dfwe.errors import ConfigurationError
from dfwe.report.html.run_page import _coefficients
from dfwe.report.study_results import as_study
from dfwe.report.terminal.study import show
from dfwe.results.document import study_results, summary
from dfwe.results.warnings import of_connectedness
from dfwe.stages.diagnostics.connectedness import Connectedness
from dfwe.stages.diagnostics.interpolation import Interpolation
from dfwe.studies.plan import plan_study

DIAGNOSTIC = Connectedness(points=1, max_barrier=0.01, max_uniform_loss=0.02, standard_errors=1)


def card(*scores):
    return {"points": [{"share": place / (len(scores) - 1), "dev": dev} for place, dev in enumerate(scores)]}


def measured(*cards, dev=None, num_instances=10**8):
    family = SimpleNamespace(instances=lambda target, *, split: range(num_instances))
    merge = SimpleNamespace(experts=dict.fromkeys("abc"), family=family, target=None)
    return DIAGNOSTIC.result(merge, cards=cards, dev=dev or {})


def test_barrier_is_the_ends_mean_less_the_middle():
    result = measured(card(0.5, 0.4, 0.7), card(0.5, 0.65, 0.7), card(0.5, 0.45, 0.5))
    record = result.of_study["connectedness"]
    assert (record["median_barrier"], record["largest_barrier"], record["num_pairs"]) == pytest.approx((0.05, 0.2, 3))
    assert result.of_merge == {"median_barrier": record["median_barrier"]}
    (record,) = measured(*[card(0.5, 0.65, 0.7)] * 3).of_study.values()
    assert record["median_barrier"] == record["largest_barrier"] == pytest.approx(-0.05)


def test_of_more_points_the_middle_counts():
    (record,) = measured(*[card(0.5, 0.1, 0.4, 0.1, 0.5)] * 3).of_study.values()
    assert record["median_barrier"] == pytest.approx(0.1)
    with pytest.raises(ConfigurationError, match="points must be odd, not 2"):
        Connectedness(points=2, max_barrier=0.01, max_uniform_loss=0.01, standard_errors=1)


def test_a_pair_with_an_undefined_score_is_left_out():
    (record,) = measured(card(None, 0.4, 0.7), card(0.5, None, 0.7), card(0.5, 0.5, 0.5)).of_study.values()
    assert (record["median_barrier"], record["num_pairs"]) == (0, 1)
    (record,) = measured(*[card(None, 0.4, 0.7)] * 3).of_study.values()
    assert (record["median_barrier"], record["largest_barrier"], record["num_pairs"]) == (None, None, 0)


def test_the_uniform_merge_stands_beside_the_baseline():
    cards = [card(0.5, 0.5, 0.5)] * 3
    for dev, expected in (({"uniform": 0.5, "baseline": 0.53}, -0.03), ({"uniform": 0.5}, None), ({}, None)):
        (record,) = measured(*cards, dev=dev).of_study.values()
        assert record["uniform_minus_baseline"] == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("middle", "uniform", "words"),
    [
        (0.485, 0.53, ["1.5 points less than they do"]),
        (0.495, 0.5, ["their uniform merge scores 3.0 points less than the baseline"]),
        (0.485, 0.5, ["1.5 points less", "and their uniform merge"]),
        (0.495, 0.52, []),
    ],
)
def test_experts_that_do_not_average_are_warned_of(middle, uniform, words):
    (record,) = measured(*[card(0.5, middle, 0.5)] * 3, dev={"uniform": uniform, "baseline": 0.53}).of_study.values()
    warnings = list(of_connectedness(record))
    assert len(warnings) == bool(words)
    for warning in warnings:
        assert (warning.code, warning.subject, warning.withholds) == ("not_connected", "experts", False)
        remedies = ("trainer.head_first=true", "model.pretrain", "trainer.train.epochs", "merge=ensemble_search")
        assert all(part in warning.text for part in (*words, *remedies))


@pytest.mark.parametrize(("middle", "uniform"), [(0.43, 0.5), (0.48, 0.42)])
def test_noise_of_few_dev_instances_is_no_warning(middle, uniform):
    cards, dev = [card(0.5, middle, 0.5)] * 3, {"uniform": uniform, "baseline": 0.5}
    (few,) = measured(*cards, dev=dev, num_instances=64).of_study.values()  # 0.5 / sqrt(64) is 6.25 points
    (many,) = measured(*cards, dev=dev, num_instances=2500).of_study.values()
    assert few["limits"] == pytest.approx({"median_barrier": 0.0725, "uniform_minus_baseline": -0.0825})
    assert (len(list(of_connectedness(few))), len(list(of_connectedness(many)))) == (0, 1)


def test_a_study_without_it_has_no_warning():
    assert list(of_connectedness({})) == []


@pytest.fixture
def study(ran, small):
    before = torch.get_num_threads()
    yield plan_study(small(ran[1], "diagnostics=[connectedness]", "merge.selection=uniform"))
    torch.set_num_threads(before)


def test_its_stages_are_those_of_interpolation(study):
    merge = study.merges["nelder_mead"]
    stages = {stage.digest for stage in study.diagnostics[0].stages}
    assert stages == {stage.digest for stage in Interpolation(points=1).stages(merge)}
    assert len(stages) == 6


def test_it_is_in_results_and_in_every_report(study):
    for _, stage in study.stages():
        stage.result(study.family.context.store)
    results = study_results(study, seconds={})
    record, rows = results["connectedness"], {row["name"]: row for row in results["models"]}
    assert record["num_pairs"] == 6
    assert record["uniform_minus_baseline"] == rows["uniform"]["dev"]["score"] - rows["baseline"]["dev"]["score"]
    assert rows["nelder_mead"]["median_barrier"] == summary(results)["median_barrier"] == record["median_barrier"]
    assert "median_barrier" not in rows["uniform"]
    line = f"Connected experts: the barrier at the middle between two is {100 * record['median_barrier']:+.1f} on dev"
    console = Console(file=io.StringIO(), width=300)
    show(results, console=console)
    assert line in console.file.getvalue()
    assert line in _coefficients(as_study(results), pictures=[]).lines[0]
