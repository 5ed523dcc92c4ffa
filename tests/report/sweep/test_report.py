"""What the jobs of a sweep say together, from results written by hand."""

import io
import json

import pytest
from rich.console import Console

from dfwe.errors import DataError
from dfwe.report.command import main
from dfwe.report.sweep.jobs import best_sources, of_sweep
from dfwe.report.sweep.paper_table import TABLE_2
from dfwe.report.sweep.report import draw_sweep, read_sweep, report_sweep

MELD, PERSONALITY = "MELD_emotion_recognition", "personality_detection"


def results(target, sources, *, dev, test, baseline=0.4, seed=0, merge="nelder_mead", stage=None, p=None, **more):
    name = stage or f"merge-{target}-{'-'.join(sources)}-{seed}-{merge}"
    rows = [
        {"name": "baseline", "kind": "baseline", "dev": {"score": 0.4}, "test": {"score": baseline}},
        {"name": merge, "kind": "merge", "stage": name, "dev": {"score": dev}, "test": {"score": test}, "p": p},
    ]
    found = {"format": 4, "target": target, "sources": list(sources), "seed": seed, "n": {"test": 9}, "models": rows}
    return {**found, "headline": {"name": merge}, "data": {"tasks": {"t": {"shots": "all"}}}, **more}


@pytest.fixture
def sweep(tmp_path):
    """A function from jobs' results to a sweep's folder."""

    def folder(*jobs):
        for number, job in enumerate(jobs):
            (tmp_path / str(number)).mkdir()
            (tmp_path / str(number) / "results.json").write_text(json.dumps(job))
        return tmp_path

    return folder


def drawn(folder):
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(draw_sweep(read_sweep(folder)))
    return console.export_text()


def cells(text, start):
    (line,) = [line for line in text.splitlines() if line.strip().startswith(start)]
    return [start.strip(), *line.strip().removeprefix(start).split()]


def test_two_targets_give_the_papers_table_with_its_mean(sweep):
    text = drawn(sweep(results(PERSONALITY, "ab", dev=0.5, test=0.5), results(MELD, "ab", dev=0.5, test=0.43)))
    assert cells(text, PERSONALITY) == [PERSONALITY, "1", "40.00", "50.00", "+10.00", "(53.82)", "(57.64)", "(+3.82)"]
    assert cells(text, MELD)[2:5] == ["40.00", "43.00", "+3.00"]
    assert cells(text, "mean of 2 tasks")[1:] == ["40.00", "46.50", "+6.50", "(50.93)", "(55.13)", "(+4.21)"]
    assert "another model instead of Flan-T5-base" in " ".join(text.split())


def kept_an_expert(found, *, expert="meld", dev=0.3, test=0.35):
    """The results, their merge one expert as it is."""
    found["models"][-1] |= {"is_expert": expert, "mixture": {"dev": dev, "test": test}}
    return found


def test_table_2_marks_merges_that_are_one_expert(sweep):
    jobs = [results(PERSONALITY, "ab", dev=0.5, test=0.5), results(MELD, "ab", dev=0.5, test=0.43)]
    text = drawn(sweep(jobs[0], kept_an_expert(jobs[1])))
    assert "43.00 (= meld; best mixture 35.00) +3.00" in " ".join(text.split())
    assert "=" not in cells(text, PERSONALITY)


def test_several_merges_on_several_targets_are_a_matrix(sweep):
    jobs = [results(target, "ab", dev=0.5, test=0.5) for target in (PERSONALITY, MELD)]
    for job in jobs:
        other = {"name": "ties", "kind": "merge", "dev": {"score": 0.45}, "test": {"score": 0.45}}
        job["models"].insert(1, other | {"stage": f"merge-ties-{job['target']}"})
    text = drawn(sweep(jobs[0], kept_an_expert(jobs[1])))
    text = text[text.index("Merges by targets") :]
    line = next(line.split() for line in text.splitlines() if line.split()[:1] == ["nelder_mead"])
    assert line == ["nelder_mead", "+10.0", "-5.0", "=", "+2.5"]
    assert next(line.split() for line in text.splitlines() if line.split()[:1] == ["ties"])[1:] == ["+5.0"] * 3


def test_published_numbers_of_equal_setting_are_comparable(sweep):
    paper = {"model": "parent flan_t5_base", "data": {"tasks": {"t": {"shots": 0.1}}}}
    jobs = [results(MELD, "a", dev=0.5, test=0.5, **paper), results(PERSONALITY, "a", dev=0.5, test=0.5, **paper)]
    jobs[0]["n"], jobs[1]["n"] = {"test": 1247}, {"test": 551}
    text = drawn(sweep(*jobs))
    assert cells(text, MELD)[5:] == ["48.04", "52.63", "+4.59"]
    assert cells(text, PERSONALITY)[5] == "(53.82)"
    assert "not comparable: other data than the official set." in " ".join(text.split())


def test_the_papers_own_rows_have_its_deltas_and_their_mean():
    assert all(abs(row.dfwe - row.baseline - row.delta) < 0.0015 for row in TABLE_2.values())
    assert sum(row.delta for row in TABLE_2.values()) / 7 == pytest.approx(2.935, abs=5e-4)


def test_sets_of_sources_stand_best_on_dev_first(sweep):
    jobs = [results(MELD, s, dev=d, test=t) for s, d, t in (("ab", 0.4, 0.6), ("ac", 0.7, 0.5), ("bc", 0.5, 0.41))]
    lines = [line.split() for line in drawn(sweep(*jobs)).splitlines() if ", " in line[:6]]
    assert [line[:2] for line in lines] == [["a,", "c"], ["b,", "c"], ["a,", "b"]]
    assert lines[0][2:] == ["1", "70.0", "50.0", "+10.0"]


def test_the_best_set_on_dev_tells_its_rank_on_test(sweep):
    jobs = [results(MELD, s, dev=d, test=t) for s, d, t in (("ab", 0.4, 0.6), ("ac", 0.7, 0.5), ("bc", 0.5, 0.41))]
    assert "The best set on dev is number 2 of 3 on test" in drawn(sweep(*jobs))


def test_best_sources_are_chosen_on_dev_over_seeds(sweep):
    scores = [("ab", 0, 0.6, 0.2), ("ab", 1, 0.4, 0.4), ("ac", 0, 0.9, 0.1), ("ac", 1, 0.0, 0.9)]
    folder = sweep(*(results(MELD, s, seed=seed, dev=d, test=t) for s, seed, d, t in scores))
    chosen = best_sources(of_sweep(read_sweep(folder).jobs))
    assert [job.test for job in chosen] == [0.2, 0.4]


def test_the_order_of_sources_makes_no_other_set(sweep):
    folder = sweep(results(MELD, "ab", dev=0.6, test=0.2), results(MELD, "ba", seed=1, dev=0.6, test=0.4))
    assert len(best_sources(of_sweep(read_sweep(folder).jobs))) == 2


def test_numbers_of_sources_have_mean_and_spread_and_a_picture(sweep, capsys):
    jobs = [results(MELD, s, dev=0.5, test=t) for s, t in (("a", 0.3), ("b", 0.5), ("ab", 0.6))]
    folder = sweep(*jobs, results(MELD, "ab", dev=0.5, test=0.6))  # the last is a job's repetition
    text = drawn(folder)
    assert cells(text, "1 ") == ["1", "2", "50.0", "40.0", "14.1", "30.0", "50.0", "+0.0"]
    assert cells(text, "2 ") == ["2", "1", "50.0", "60.0", "60.0", "60.0", "+20.0"]
    report_sweep(folder)
    assert "picture: " in capsys.readouterr().out
    assert (folder / "pictures" / "numbers_nelder_mead.png").stat().st_size > 1000


def test_each_merge_has_its_own_tables(sweep):
    jobs = [results(t, "a", dev=0.5, test=0.5, merge=m) for t in (MELD, PERSONALITY) for m in ("ties", "linear")]
    text = drawn(sweep(*jobs))
    assert all(f"Table 2 of the paper with {merge}" in text for merge in ("ties", "linear"))


def test_jobs_without_a_score_are_named(sweep):
    jobs = [results(MELD, s, dev=0.5, test=0.5) for s in "abc"]
    jobs[1]["headline"] = {}
    jobs[2]["models"][0]["test"]["score"] = None
    text = drawn(sweep(*jobs))
    assert "/1: no merge was scored" in text
    assert "/2: no merge was scored" in text


def test_a_folder_without_results_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"holds no results\.json: expected the folder of a finished run"):
        read_sweep(tmp_path)


def test_broken_results_are_named(sweep):
    folder = sweep(results(MELD, "a", dev=0.5, test=0.5))
    (folder / "0" / "results.json").write_text("{")
    with pytest.raises(DataError, match=r"0/results\.json, line 1, column 2: broken JSON"):
        read_sweep(folder)


def test_the_command_prints_the_tables(sweep, capsys):
    folder = sweep(results(PERSONALITY, "ab", dev=0.5, test=0.5), results(MELD, "ab", dev=0.5, test=0.43))
    assert main(["sweep", str(folder)]) == 0
    assert "mean of 2 tasks" in capsys.readouterr().out
    assert main(["sweep", str(folder / "nowhere")]) == 2


def test_differences_are_claimed_for_all_tasks_together(sweep):
    one, other = results(PERSONALITY, "ab", dev=0.5, test=0.5, p=0.01), results(MELD, "ab", dev=0.5, test=0.43, p=0.04)
    text = " ".join(drawn(sweep(one, other)).split())
    assert (
        f"Corrected for 2 tasks (Holm), a difference to the baseline can be claimed for {PERSONALITY}, {MELD};" in text
    )
    assert f"{PERSONALITY} 0.02, {MELD} 0.04" in text


def test_chance_is_not_claimed(sweep):
    one, other = results(PERSONALITY, "ab", dev=0.5, test=0.5, p=0.03), results(MELD, "ab", dev=0.5, test=0.43, p=0.04)
    assert "can be claimed for none" in " ".join(drawn(sweep(one, other)).split())


def test_seeds_have_mean_and_spread_where_nothing_else_differs(sweep):
    jobs = [results(MELD, "ab", seed=seed, dev=0.5, test=test) for seed, test in ((0, 0.5), (1, 0.6))]
    text = " ".join(drawn(sweep(*jobs)).split())
    assert "nelder_mead 55.0 ± 7.1 +15.0 ± 7.1 50.0 ± 0.0 40.0 ± 0.0 2 a, b" in text


def test_table_2_keeps_settings_apart(study, folder_of):
    targets = ("MELD_emotion_recognition", "personality_detection")
    rates = {f"python trainer.finetune.learning_rate={rate}": test for rate, test in (("1e-4", 0.5), ("1e-3", 0.6))}
    scores = [(target, command, test) for target in targets for command, test in rates.items()]
    folder = folder_of(*(study(target, command=command, nelder_mead=test) for target, command, test in scores))
    assert main(["sweep", str(folder), "--format", "markdown"]) == 0
    names = [f"tasks_nelder_mead-trainer.finetune.learning_rate-{rate}" for rate in ("1e-3", "1e-4")]
    assert sorted(path.stem for path in (folder / "pictures").glob("tasks*.png")) == names


def test_jobs_of_other_shots_are_not_averaged(sweep):
    jobs = [results(MELD, "ab", dev=0.5, test=0.5, stage=s, command=f"python data.shots={s}") for s in ("0.1", "0.2")]
    assert "Means over seeds" not in drawn(sweep(*jobs))


def heads(seed, mean, delta):
    scores, sure = {"score": mean, "tasks": {"SST": mean}}, {"delta": delta, "p": 0.5}
    soup = {"name": "soup", "title": "Soup", "kind": "merge", "stage": f"merge-{seed}", "dev": scores, "test": scores}
    soup |= {"of": ["a", "b", "c"], "differences": {}, **sure}
    part = {**soup, "name": "soup_1_2", "title": "Pair", "stage": f"pair-{seed}", "of": ["a", "b"]}
    rows = [{"name": "only", "kind": "single"}, soup, part]
    return {
        "format": 4,
        "kind": "multitask",
        "columns": {"SST": "sst"},
        "n": {"SST": {}},
        "seed": seed,
        "models": rows,
    } | {
        "candidates": ["a", "b", "c"],
        "ablation": {"soup_1_2": "Soup w/ Model 1 and 2"},
    }


def test_models_with_heads_have_mean_and_spread_over_seeds_too(sweep):
    text = " ".join(drawn(sweep(heads(0, 0.5, -0.1), heads(1, 0.6, 0.1))).split())
    assert "Means over seeds" in text
    assert "Soup 55.0 ± 7.1 +0.0 ± 14.1 55.0 ± 7.1 55.0 ± 7.1 2 SST" in text
    assert "left out" not in text
    assert "Pair" not in text  # models 1 and 2 of another seed may be others


def test_heads_that_are_compared_with_nothing_are_left_out(sweep):
    found = heads(0, 0.5, 0.0)
    for row in found["models"]:
        for key in ("delta", "p"):  # the mean of a score that is undefined has none
            row.pop(key, None)
    assert "/0: no merge was scored" in drawn(sweep(found))
