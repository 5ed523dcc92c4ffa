"""A study's live run, and what it leaves when it is over."""

import pickle

import pytest

from dfwe.execution.tracking import StudyLogger, begin, finish, following, wandb_logger
from dfwe.report.wandb.session import Session

NOTHING = {"models": [], "headline": {}, "target": "mood", "sources": [], "model": "parent small"}


class Run:
    """A run that keeps what it is told; it breaks where it is asked to."""

    def __init__(self, *, breaks=False):
        self.rows, self.summary, self.axes, self.ended, self.breaks = [], {}, [], False, breaks
        self.resumed = False

    def log(self, row):
        if self.breaks:
            raise ConnectionError("gone")
        self.rows.append(row)

    def define_metric(self, name, **how):
        self.axes.append((name, how.get("step_metric")))

    def finish(self):
        self.ended = True


class Recorded(Session):
    """A session that opens these runs."""

    def __init__(self, folder, *, breaks=False):
        super().__init__(project="test", folder=folder)
        self.breaks, self.opened = breaks, []

    def open(self, **asked):
        run = Run(breaks=self.breaks)
        self.opened.append((asked, run))
        return run


@pytest.fixture
def session(tmp_path):
    return Recorded(tmp_path / "the_study")


def begun(logger):
    begin(logger, target="mood", sources=("taste",), model="parent small", seed=1)


def test_curves_have_their_stages_titles_and_those_of_before_the_name_wait_for_it(session):
    logger = StudyLogger(session)
    start = following(lambda number, total, title: lambda share: None, logger=logger)
    start(1, 2, "train expert a")
    logger.log_metrics({"dev/target": 0.5, "epoch": 0}, step=4)
    assert session.opened == []
    begun(logger)
    start(2, 2, "train expert b")
    logger.log_metrics({"dev/target": 0.25}, step=2)
    ((asked, run),) = session.opened
    assert (asked["name"], asked["group"], asked["job_type"]) == ("the_study", "mood | taste | small", "study")
    assert run.rows == [{"train expert a/dev/target": 0.5, "step": 4}, {"train expert b/dev/target": 0.25, "step": 2}]
    assert run.axes == [("step", None), ("train expert a/*", "step"), ("train expert b/*", "step")]


def test_a_study_that_trains_nothing_makes_no_run_of_its_own(session):
    logger = StudyLogger(session)
    begun(logger)
    finish(logger, results=NOTHING, summary={"test/a": 0.5}, merges={})
    assert session.opened == []


def test_at_the_end_the_live_run_has_the_scores_by_model(session):
    logger = StudyLogger(session)
    begun(logger)
    logger.log_metrics({"train_loss": 1.0})
    finish(logger, results=NOTHING, summary={"test/a": 0.5, "dev/a": None, "test": 0.5, "delta": 0.0}, merges={})
    ((_, run),) = session.opened
    assert run.summary == {"test/a": 0.5}  # test and delta are merges', for charts that compare these
    assert run.ended


def test_a_run_that_breaks_does_not_stop_the_study(tmp_path, caplog):
    session = Recorded(tmp_path, breaks=True)
    logger = StudyLogger(session)
    begun(logger)
    logger.log_metrics({"train_loss": 1.0}, step=1)
    finish(logger, results=NOTHING, summary={}, merges={})
    assert "gone; the study goes on" in caplog.text
    assert session.opened[0][1].ended


def test_a_copy_in_another_process_logs_nothing(tmp_path):
    logger = wandb_logger(project="test", folder=str(tmp_path))
    begun(logger)
    copy = pickle.loads(pickle.dumps(logger))
    copy.log_metrics({"train_loss": 1.0}, step=1)
    assert not (tmp_path / "wandb").exists()


@pytest.mark.parametrize("logger", [False, None, object()])
def test_other_loggers_need_nothing(logger):
    begun(logger)
    finish(logger, results={}, summary={}, merges={})
