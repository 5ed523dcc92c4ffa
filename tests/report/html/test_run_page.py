"""The page of a run."""

import json
import re

import pytest

from dfwe.errors import DataError
from dfwe.report.figures.study import study_figures
from dfwe.report.html.run_page import run_page, write_run_page
from dfwe.report.run_folder import read_run

NASTY = "<script>alert('x')</script> & \"quotes\""


def page(folder):
    """The page without its pictures, which take most of the time."""
    return run_page(read_run(folder), pictures={})


def drawn(folder):
    return write_run_page(folder).read_text(encoding="utf8")


@pytest.fixture(scope="module")
def told(invented, tmp_path_factory):
    """A run folder with everything that results can hold, and its page; neither is changed."""
    folder = tmp_path_factory.mktemp("told")
    invented.write_run(folder, target="MELD_emotion_recognition", sources=("personality_detection",))
    return folder, drawn(folder)


def edited(folder, change):
    path = folder / "results.json"
    results = json.loads(path.read_text())
    change(results)
    path.write_text(json.dumps(results))
    return folder


def words(html):
    return " ".join(re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<(style|script)>.*?</\1>", "", html)).split())


def test_sections_are_in_reading_order(told):
    titles = re.findall(r"<h2[^>]*>(.*?)</h2>", told[1])
    expected = [
        "Answer",
        "What was asked",
        "All models",
        "Learning curves",
        "The search",
        "Coefficients",
        "F1 by label",
    ]
    assert titles == [*expected, "Errors worth reading", "Cost", "How to reproduce it"]


def test_page_is_self_contained(told):
    _, html = told
    assert not re.search(r"(src|href)=\"(?!#|data:)", html)
    assert "default-src 'none'" in html
    assert "url(http" not in html
    assert html.count("<script>") == 1


def test_every_picture_of_the_study_is_in_the_page_and_in_files(told):
    folder, html = told
    names = [
        "curves",
        "trace_nelder_mead",
        "simplex_nelder_mead",
        "coefficients",
        "leave_one_out_nelder_mead",
        "interpolations",
    ]
    names += ["confusion_baseline", "confusion_nelder_mead"]
    files = {path.name for path in (folder / "pictures").iterdir()}
    assert files == {f"{name}.{form}" for name in names for form in ("png", "svg")}
    assert html.count("<figure id=") == html.count('<svg role="img"') == len(names)


def test_labels_have_f1_per_model(told):
    folder, html = told
    (classes,) = json.loads((folder / "results.json").read_text())["classes"].values()
    table = re.search(r'(?s)<table[^>]*id="classes-0".*?</table>', html)[0]
    headings = [words(each) for each in re.findall(r"(?s)<th .*?</th>", table)]
    assert headings[:3] == ["label", "n", "baseline (target alone)"]
    assert len(headings) == 2 + len(classes["f1"])
    assert f'data-value="{classes["f1"]["baseline"]["anger"]}"' in table


def test_labels_without_answers_have_no_number(whole):
    def change(results):
        (classes,) = results["classes"].values()
        classes["f1"]["baseline"]["fear"] = None

    html = page(edited(whole, change))
    assert re.search(r'(?s)<tr>\s*<td class="words">fear</td>\s*<td[^>]*>36</td>\s*<td class="number">–</td>', html)


@pytest.mark.parametrize("given", [{"deep": {"a": [1, {"b": None}]}}, {"a": 0.5}])
def test_settings_are_never_drawn_as_code(plain, given):
    folder = plain(data={"tasks": {"t": {"corpus": "abc", "shots": given}}}, n=given)
    edited(folder, lambda results: results["models"][-1].update(notes={"without_fisher": given}))
    said = words(page(folder))
    assert not set("{}[]") & set(said)


def test_cost_reports_answers_of_diagnostics(told):
    assert "diagnostics needed answers on dev: 6 000 by interpolation." in words(told[1])


def test_ids_are_unique(told):
    ids = re.findall(r'\sid="([^"]+)"', told[1])
    assert len(ids) == len(set(ids))


def test_the_same_folder_gives_the_same_page(told):
    assert drawn(told[0]) == told[1]


def test_user_texts_are_escaped(whole):
    def change(results):
        results["target"] = results["sources"][0] = results["command"] = NASTY
        results["models"][-1]["name"] = results["headline"]["name"] = "m"
        results["examples"]["fixed"][0] |= {"source": NASTY, "gold": [NASTY], "before": NASTY, "instance_id": NASTY}
        results["models"][1]["name"] = NASTY
        results["models"][-1]["coefficients"][NASTY] = 0.0

    html = drawn(edited(whole, change))
    assert "<script>alert" not in html
    assert html.count("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &#34;quotes&#34;") >= 7


def test_long_words_of_any_script_have_a_page(plain):
    case = {"instance_id": "1", "source": "語" * 9000, "gold": ["ü"], "before": "אב", "after": "ü"}
    examples = {"merge": "ties", "against": "baseline", "num_fixed": 1, "num_broke": 0, "fixed": [case], "broke": []}
    html = page(plain(examples=examples, target="目標" * 200))
    assert "אב" in html
    assert "語" * 9000 in html


AGAINST = [
    {"role": "baseline", "name": "baseline", "delta": 0.02, "delta_interval": [-0.01, 0.05]},
    {"role": "equally_trained", "name": "t", "delta": -0.03, "delta_interval": [-0.05, -0.01]},
    {"role": "best_expert", "name": "t", "delta": -0.03, "delta_interval": [-0.05, -0.01]},
]
RECOMMENDED = {"name": "a", "kind": "expert", "folder": "best", "dev": 0.52, "test": 0.42, "chosen_among": 3}


def test_the_answer_comes_first_and_names_the_model_to_ship(plain):
    told = {**RECOMMENDED, "against": AGAINST, "claim": "worse", "why": "it scores less than t (-3.0)"}
    html = page(plain(recommended=told, headline={"name": "ties", "test": 0.5}))
    said = words(html)
    assert html.index('id="answer"') < html.index('id="asked"')
    assert "Ship a: it scores best of 3 models on dev, 52.0." in said
    assert "It is worse than some of what it is compared with: it scores less than t (-3.0)." in said
    assert "The merge that was asked for, ties, scores 50.0 on test." in said
    assert "against the baseline +2.0 -1.0 to +5.0 against the baseline trained as long -3.0 -5.0 to -1.0" in said
    assert "against the best expert" not in said  # it is the model before, which is named once


@pytest.mark.parametrize(
    ("claim", "words_of_it"),
    [("better", "It is better than what it is compared with"), ("not_shown", "That it is better cannot be claimed")],
)
def test_claim_is_written_as_results_have_it(plain, claim, words_of_it):
    told = {**RECOMMENDED, "name": "ties", "against": AGAINST[:1], "claim": claim, "why": "so it is"}
    said = words(page(plain(recommended=told)))
    assert f"{words_of_it}: so it is." in said
    assert "on dev, 52.0; it is the merge that was asked for." in said
    assert "One seed: the intervals are over the test split only" in said


def test_the_page_names_what_does_as_well_at_no_more_cost(plain):
    soup = {"name": "seed_soup", "title": "soup of seeds", "kind": "baseline", "times_cost": 0.4}
    soup |= {"delta": 0.003, "delta_interval": [-0.012, 0.018], "p": 0.7}
    told = {**RECOMMENDED, "against": AGAINST[:1], "claim": "not_shown", "why": "so it is", "as_well": soup}
    said = words(page(plain(recommended=told)))
    assert "soup of seeds does as well (lead +0.3, -1.2 to +1.8) at 0.4 times the cost of training." in said


def test_model_without_comparison_claims_nothing(plain):
    told = {**RECOMMENDED, "against": [], "claim": None, "why": "there is no simpler model that it is compared with"}
    said = words(page(plain(recommended=told)))
    assert "Nothing is claimed: there is no simpler model that it is compared with." in said


def test_warnings_stand_below_the_answer(plain):
    warnings = [{"code": "small_dev", "subject": "t dev", "text": "t has 12 dev instances"}]
    html = page(plain(recommended={**RECOMMENDED, "against": [], "claim": None}, warnings=warnings))
    assert '<p class="warning">t has 12 dev instances.</p>' in html


MIXTURE = {
    "kept": False,
    "dev": 0.51,
    "test": 0.45,
    "interval": [0.4, 0.5],
    "delta": 0.05,
    "delta_interval": [0.01, 0.09],
}


def test_a_merge_that_is_one_expert_stands_with_its_best_mixture(plain):
    def change(results):
        kept = {**results["models"][-1], "name": "found", "is_expert": "mixture", "mixture": MIXTURE}
        results["models"].insert(2, kept)

    html = page(edited(plain(recommended={**RECOMMENDED, "against": [], "claim": None}), change))
    assert "<title>found: +5.0 (+1.0 to +9.0), above 0</title>" in html
    said = words(html)
    assert "merge, its best mixture" in said
    assert "found = expert on all tasks 55.0 51.0 45.0 40.0 to 50.0 +5.0 +1.0 to +9.0" in said


def test_merges_that_are_one_expert_are_one_warning(plain):
    def warning(name):
        return {"code": "same_as_expert", "subject": name, "text": f"{name} is the expert a as it is"}

    warnings = [warning(name) for name in ("ties, dare", "found, third", "other")]
    html = page(plain(recommended={**RECOMMENDED, "against": [], "claim": None}, warnings=warnings))
    said = re.findall(r'<p class="warning">(.*?)</p>', html)
    assert said[0] == "ties, dare is the expert a as it is."  # the one that was asked for
    assert said[1].startswith("3 other merges are one expert as it is")
    assert said[1].endswith("found, third, other.")
    assert len(said) == 2


def test_without_a_recommendation_the_headline_merge_answers(plain):
    said = words(page(plain()))
    assert "The merge that was asked for is ties." in said
    assert "against the baseline +10.0 +6.0 to +14.0" in said


def test_missing_parts_are_left_out(plain):
    html = drawn(plain())
    assert "Errors worth reading" not in html
    assert "No search&#39;s trials to show" in html
    assert "Everything lay in the store already." in html


def test_a_study_that_was_not_tested_has_a_page(plain):
    folder = plain(headline={})
    edited(folder, lambda results: [row.pop("test", None) for row in results["models"]])
    edited(folder, lambda results: [row.pop("delta", None) for row in results["models"]])
    assert "No merge was scored on test beside a baseline." in page(folder)


def test_undefined_score_is_explained(plain):
    folder = plain(headline={})

    def change(results):
        results["models"][-1]["test"]["score"] = None
        results["models"][-1].pop("delta")

    html = page(edited(folder, change))
    assert "The score on test is undefined for ties: a model that answers" in html
    assert "undefined</td>" in html


def test_search_without_trials_says_so(plain):
    folder = plain()
    (folder / "trials.jsonl").write_text("")
    assert "No search&#39;s trials to show" in drawn(folder)


def test_a_search_that_did_not_move_is_warned_of(whole):
    html = page(edited(whole, lambda results: results["models"][-1]["search_diagnostics"].update(distinct_scores=1)))
    assert "nelder_mead did not move: all 41 candidates have the same dev score" in html


def test_a_search_whose_candidates_were_stopped_may_have_moved(whole):
    def change(results):
        results["models"][-1]["search_diagnostics"].update(distinct_scores=1)
        results["models"][-1]["stopped_evaluations"] = 40

    assert "did not move" not in page(edited(whole, change))


@pytest.mark.parametrize("graded", [False, True])
def test_only_answers_that_are_right_or_wrong_are_called_so(plain, graded):
    record = {"instance_id": "1", "source": "Who?", "gold": ["Rachel Green"], "before": "Rachel", "after": "Rachel G"}
    found = {"merge": "ties", "against": "baseline", "num_fixed": 1, "num_broke": 0, "fixed": [record], "broke": []}
    html = page(plain(examples={"are_graded": graded, **found}))
    assert ("ties is right where baseline was wrong" in html, 'class="right">Rachel G' in html) == (not graded,) * 2
    assert ("ties scores more than baseline (1)" in html, "on 1, and less on 0." in html) == (graded,) * 2


def test_coefficients_outside_the_simplex_have_no_triangle(whole):
    lines = [json.loads(line) for line in (whole / "trials.jsonl").read_text().splitlines()]
    lines[3]["coefficients"]["mixture"] = -0.5
    (whole / "trials.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    names = [picture.name for picture in study_figures(read_run(whole))]
    assert "trace_nelder_mead" in names
    assert "simplex_nelder_mead" not in names


def test_selection_of_sources_and_decodings_are_shown(plain):
    ranking = [{"task": "a", "scores": {"transfer": 0.02}}, {"task": "b", "scores": {"transfer": 0.01}}]
    chosen = {"selected": ["a"], "by": ["transfer"], "ranking": ranking, "unknown": []}
    ways = [{"way": "labels", "score": 0.5}, {"way": "greedy", "score": 0.25, "same": 0.75, "no_label": 0.125}]
    decodings = {"default": "labels", "models": [{"name": "ties", "ways": ways}]}
    said = words(page(plain(source_selection=chosen, decoding_comparison=decodings)))
    assert "Sources chosen by transfer: a (transfer +0.020); before b (transfer +0.010)." in said
    assert "ties greedy 25.0 75.0 12.5" in said


def test_a_folder_without_results_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"holds no results\.json: expected the folder of a finished run"):
        write_run_page(tmp_path)


@pytest.mark.parametrize("found", [1, 5, None])
def test_another_format_is_an_error(plain, found):
    with pytest.raises(
        DataError, match=rf"has format {found}, and this version reads 4: run the study's command again"
    ):
        write_run_page(plain(format=found))


def test_broken_files_are_named(plain):
    folder = plain()
    (folder / "trials.jsonl").write_text("{}\n")
    with pytest.raises(DataError, match=r"trials\.jsonl, line 1: this is not a trial"):
        write_run_page(folder)
    (folder / "results.json").write_text("{")
    with pytest.raises(DataError, match=r"results\.json, line 1, column 2: broken JSON"):
        write_run_page(folder)


@pytest.mark.parametrize("changes", [{"models": [3]}, {"sources": 5}, {"headline": []}])
def test_results_of_another_form_are_named(plain, changes):
    with pytest.raises(DataError, match=r"results\.json, or a file beside it, is not what a study writes"):
        write_run_page(plain(**changes))


def test_a_study_of_models_with_heads_has_a_page(plain):
    scores = {"tasks": {"SST": 0.5, "STS": None}, "score": None}
    rows = [
        {"name": "soup", "title": "Soup", "kind": "merge", "coefficients": {"a": 1.0}, "dev": scores, "test": scores}
    ]
    rows.append({"name": "a", "kind": "single", "dev": {"tasks": {"SST": 0.5}, "score": 0.5}})
    more = {
        "kind": "multitask",
        "columns": {"SST": "sst", "STS": "sts"},
        "models": rows,
        "candidates": ["a"],
    }
    html = page(plain(**more, seconds={"train a": 3}))
    assert re.findall(r"<h2[^>]*>(.*?)</h2>", html)[:3] == ["Answer", "What was asked", "All models"]
    assert "undefined" in html


def test_several_tasks_have_differences_with_intervals(plain):
    sure = {"delta": -0.065, "delta_standard_error": 0.01, "delta_interval": [-0.085, -0.045], "p": 0.002}
    sure |= {"p_by": "bootstrap", "p_holm": 0.004}
    test = {"tasks": {"SST": 0.5}, "score": 0.5, "interval": [0.4, 0.6], "intervals": {"SST": [0.4, 0.6]}}
    cost = {"train_steps": 1200, "train_tokens": 34000, "dev_answers": 60, "seconds": 90.0, "bytes": 2_000_000}
    soup = {"name": "soup", "title": "Soup", "kind": "merge", "coefficients": {"a": 1.0}, "selection": "bagged"}
    soup |= {"evaluations": 3, "seconds": 1.5, "dev": {"tasks": {"SST": 0.53}, "score": 0.53}, "test": test}
    soup |= {"differences": {"SST": sure}, **sure, "optimism": 0.034, "cost": cost}
    soup["search_diagnostics"] = {"evaluated": 3, "distinct_scores": 2, "plateau": 1}
    best = {"name": "soup", "kind": "merge", "dev": 0.53, "chosen_among": 1, "claim": "worse", "why": "it scores less"}
    best["against"] = [{"role": "baseline", "name": "single-task models", **sure}]
    more = {"kind": "multitask", "columns": {"SST": "sst"}, "models": [soup], "candidates": ["a"], "recommended": best}
    html = page(plain(**more))
    assert re.findall(r"<h2[^>]*>(.*?)</h2>", html)[:6] == [
        "Answer",
        "What was asked",
        "All models",
        "The search",
        "Coefficients",
        "Cost",
    ]
    for expected in (
        "-6.5",
        "-8.5 to -4.5",
        "40.0 to 60.0",
        "0.004",
        "+3.4",
        "It is worse than some of what it is compared with",
        "34\u202f000",
        "90 s",
    ):
        assert expected in html, expected
    assert "The single-task models are plain fine-tuning" in html


def test_holdout_and_rare_classes_are_noted(whole):
    def change(results):
        found = {"examples": 36, "score": 0.55, "start": 0.4, "expert": None}
        results["models"][-1]["holdout"] = found
        results["rare_classes"] = ["fear"]

    told = words(drawn(edited(whole, change)))
    assert "By 36 dev instances that were kept from the search it scores 55.0, the uniform merge 40.0." in told
    assert "fewer than 10 test instances are fear" in told
