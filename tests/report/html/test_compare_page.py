"""The page that compares runs."""

import json
import os
import re

import pytest

from dfwe.errors import DataError
from dfwe.report.command import main
from dfwe.report.html.compare_page import write_comparison

MELD = "MELD_emotion_recognition"


def page(*folders, out=None):
    return write_comparison(folders, out=out).read_text(encoding="utf8")


def rows(html, table):
    body = re.search(rf'(?s)id="{table}".*?<tbody>(.*?)</tbody>', html)[1]
    cells = [re.findall(r"(?s)<td[^>]*>(.*?)</td>", row) for row in re.findall(r"(?s)<tr.*?</tr>", body)]
    return [[re.sub(r"<[^>]+>", " ", cell).replace("  ", " ").strip() for cell in row] for row in cells]


def scored(plain, name, *, test, seed, **changes):
    folder = plain(name, seed=seed, **changes)
    results = json.loads((folder / "results.json").read_text())
    results["models"][-1] |= {"test": {"score": test}, "stage": f"merge-{name}"}
    (folder / "results.json").write_text(json.dumps(results))
    return folder


def test_seeds_are_averaged_with_their_standard_deviation(plain):
    html = page(scored(plain, "s/0", test=0.5, seed=0), scored(plain, "s/1", test=0.6, seed=1))
    (row,) = rows(html, "means")
    assert row == ["ties", "55.0 ± 7.1", "+15.0 ± 7.1", "55.0 ± 0.0", "40.0 ± 0.0", "2", "a"]
    assert [row[1] for row in rows(html, "runs")] == ["50.0", "60.0"]
    assert "One seed of each" not in html


def test_matrix_and_table_2_mark_experts(plain):
    for target in ("t", "u"):
        folder = plain(f"s/{target}", target=target, data={"tasks": {target: {"corpus": "abc", "shots": "all"}}})
        results = json.loads((folder / "results.json").read_text())
        other = {**results["models"][-1], "name": "linear", "stage": f"merge-linear-{target}", "budget": 40}
        results["models"][-1] |= {"stage": f"merge-{target}", "budget": 40}
        if target == "u":
            results["models"][-1] |= {"is_expert": "a", "mixture": {"dev": 0.45, "test": 0.3}}
        results["models"].insert(-1, other)
        (folder / "results.json").write_text(json.dumps(results))
    html = page(folder.parent)
    assert rows(html, "matrix") == [
        ["linear", "40", "+10.0", "+10.0", "+10.0"],
        ["ties", "40", "+10.0", "-10.0 = +10.0", "+0.0"],
    ]
    assert "50.00 = a; best mixture 30.00" in rows(html, "table2-0")[1]


def test_runs_of_other_settings_are_not_averaged(plain):
    folders = [
        scored(plain, f"s/{n}", test=0.5, seed=0, command=f"python -m dfwe.run +target=t merge.search.budget={n}")
        for n in (5, 9)
    ]
    assert {row[0] for row in rows(page(*folders), "means")} == {
        "ties merge.search.budget=5",
        "ties merge.search.budget=9",
    }


def test_one_seed_warns_about_its_intervals(plain):
    html = page(plain())
    assert "One seed of each: intervals are over the test split only" in html
    assert rows(html, "means")[0][1] == "50.0"


def test_the_very_same_merge_counts_once_in_means(plain):
    first, second = (scored(plain, name, test=0.5, seed=0) for name in ("x", "y"))
    for folder in (first, second):
        text = (folder / "results.json").read_text()
        (folder / "results.json").write_text(re.sub(r"merge-[xy]", "merge-same", text))
    html = page(first, second)
    assert len(rows(html, "runs")) == 2
    assert rows(html, "means")[0][5] == "1"


def test_a_folder_given_twice_counts_once(plain):
    folder = plain("s/0")
    assert len(rows(page(folder, folder.parent), "runs")) == 1


def test_sweep_has_table_2_pictures_and_all_rows(invented, tmp_path):
    invented.write_sweep(tmp_path, targets=(MELD, "personality_detection"), most=3)
    html = page(tmp_path)
    assert len(rows(html, "runs")) == 2 * 3 * 5  # uniform, searched, three baselines
    assert [row[0].replace(" ", "") for row in rows(html, "table2-0")] == ["personality_detection", MELD]
    assert "Published numbers in brackets are not comparable: invented instead of Flan-T5-base" in html
    assert re.findall(r'<figure id="picture-([^"]+)"', html) == ["tasks-nelder-mead", "sources-nelder-mead"]


def test_runs_link_to_their_own_pages_where_there_are_some(plain, tmp_path):
    folder = plain("s/0")
    assert "report.html" not in page(folder)
    (folder / "report.html").write_text("")
    assert 'href="s/0/report.html"' in page(folder, out=tmp_path / "all.html")


def test_filter_options_are_escaped(plain):
    html = page(plain(target="<i>&", sources=["b", "a"]))
    assert "<option>&lt;i&gt;&amp;</option>" in html
    assert 'data-source="b\na"' in html
    assert "<i>" not in html


def test_different_test_sets_of_one_target_are_refused(plain):
    other = plain("y", data={"tasks": {"t": {"corpus": "another"}}})
    with pytest.raises(DataError, match=r"t has other data in .*x than in .*y, of 2 sets in all"):
        page(plain("x"), other)
    with pytest.raises(DataError, match="paired statistics need the same test instances"):
        page(plain("z"), plain("w", n={"test": 8}))


def test_a_repeated_study_counts_once(plain):
    claim = {"name": "ties", "claim": "better"}
    html = page(plain("x", headline=claim), plain("y", headline=claim))
    assert "Of 1 merges that were asked for" in html
    assert "jobs</th>" not in html or ">2<" not in html


def test_different_formats_are_refused(plain):
    with pytest.raises(DataError, match="has format 1, and this version reads 4"):
        page(plain("x"), plain("y", format=1))


def test_a_folder_without_results_is_an_error(plain, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty holds no results\.json"):
        page(plain(), tmp_path / "empty")


def test_broken_off_and_untested_runs_are_named_and_left_out(plain, tmp_path):
    folder = plain("s/0")
    (tmp_path / "s" / "1" / ".hydra").mkdir(parents=True)
    plain("s/2", models=[])
    html = page(folder.parent)
    assert "1 folder without results: failed, broken off, or only planned" in html
    assert "no merge was scored beside a baseline" in html


def test_runs_without_a_scored_merge_are_an_error(plain):
    with pytest.raises(DataError, match="none of 1 runs has a merge that was scored"):
        page(plain(models=[]))


def test_the_command_writes_the_page(plain, tmp_path, capsys):
    assert main(["page", str(plain("s/0")), "--out", str(tmp_path / "new" / "all.html")]) == 0
    assert f"page: {tmp_path / 'new' / 'all.html'}" in capsys.readouterr().out
    assert main(["page", str(tmp_path / "nowhere")]) == 2
    assert "error: " in capsys.readouterr().err


def test_models_with_heads_stand_beside_others_with_their_means(plain, of_heads, tmp_path):
    folder = tmp_path / "heads"
    folder.mkdir()
    of_heads |= {"format": 4, "candidates": ["a", "b"], "ablation": {}, "versions": {}, "command": "dfwe"}
    of_heads["models"][1] |= {"title": "Soup", "of": ["a", "b"]}
    (folder / "results.json").write_text(json.dumps(of_heads))
    html = page(folder, plain())
    heads, text = rows(html, "runs")
    assert heads[:4] == ["Soup SST, STS", "62.5 25.0 to 75.0", "+12.5 -12.5 to +37.5", "0.500"]
    assert text[0] == "ties t"
    assert "The baseline of models with heads are the single-task models" in html


def test_models_with_heads_of_other_test_sets_are_not_compared(of_heads, tmp_path):
    folders = []
    for number in (10, 12):
        of_heads |= {"format": 4, "n": {column: {"test": number} for column in of_heads["n"]}}
        folders.append(tmp_path / str(number))
        folders[-1].mkdir()
        (folders[-1] / "results.json").write_text(json.dumps(of_heads))
    with pytest.raises(DataError, match=r"SST, STS has other data in .* of 2 sets"):
        page(*folders)


def test_broken_runs_are_left_out(plain, tmp_path):
    plain("s/0")
    (plain("s/1") / "results.json").write_text("{")
    plain("s/2", models=[{"name": "baseline"}])
    (plain("s/3") / "results.json").unlink()
    os.mkfifo(tmp_path / "s" / "3" / "results.json")
    html = page(tmp_path / "s").replace("<wbr>", "")
    assert "s/1/results.json, line 1, column 2: broken JSON" in html
    assert "s/2: results.json, or a file beside it, is not what a study writes" in html
    assert "s/3/results.json must be a file" in html
