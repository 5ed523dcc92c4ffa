"""The submission in short."""

import io

from rich.console import Console

from dfwe.report.submission import FETA, TaskPredictions
from dfwe.report.submission_table import draw_submission


def task(name, *, baseline, transfer):
    files = {"baseline_predictions.csv": ("0",), "predictions.csv": ("1",)}
    return TaskPredictions(name, "merged", ("a",), files, baseline, transfer, 0)


def text(tasks):
    console = Console(file=io.StringIO(), width=140)
    console.print(draw_submission(tasks))
    return " ".join(console.file.getvalue().split())


def test_scores_means_and_the_submission_score_are_shown_times_100():
    shown = text(
        [
            task("emory_emotion_recognition", baseline=0.30, transfer=0.36),
            task("question_answering", baseline=0.50, transfer=0.48),
        ]
    )
    assert "emory_emotion_recognition │ 1 │ merged │ 30.00 │ 36.00 │ +6.00" in shown
    assert "question_answering │ 1 │ merged │ 50.00 │ 48.00 │ -2.00" in shown
    assert "mean of 2 tasks │ │ │ 40.00 │ 42.00 │ +2.00" in shown
    assert "delta + 0.1 x baseline, of 2 tasks alone, without reading_comprehension, " in shown
    assert shown.endswith(": 6.00")  # 2 + 0.1 * 40


def test_all_seven_tasks_are_called_so():
    assert "of all seven tasks: 6.00" in text([task(name, baseline=0.4, transfer=0.42) for name in FETA])
