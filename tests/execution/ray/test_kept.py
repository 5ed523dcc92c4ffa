"""What is said and logged in a worker is said and logged where the study was started."""

import logging
from unittest.mock import patch

from pytorch_lightning.loggers import CSVLogger

from dfwe.execution.ray.kept import KeptMetrics, keeping
from dfwe.execution.tracking import wandb_logger


def test_lines_and_metrics_are_passed_on_once(caplog, tmp_path):
    there, here = KeptMetrics(), CSVLogger(tmp_path, name="logs")
    with keeping(there) as kept:
        logging.getLogger("dfwe.stages.train").info("%d epochs", 3)
        logging.getLogger("other").warning("not of dfwe")
        there.log_metrics({"dev": 0.5}, step=7)
    caplog.clear()
    with caplog.at_level(logging.INFO):
        kept.pass_on(here)
    assert [(each.name, each.levelname, each.getMessage()) for each in caplog.records] == [
        ("dfwe.stages.train", "INFO", "3 epochs")
    ]
    assert (tmp_path / "logs" / "version_0" / "metrics.csv").read_text().split() == ["dev,step", "0.5,7"]
    with keeping(there) as nothing:
        pass
    assert (nothing.lines, nothing.metrics) == ([], [])
    nothing.pass_on(False)


def test_metrics_have_the_title_of_the_stage_that_they_are_of(tmp_path):
    there, here = KeptMetrics(), wandb_logger(project="test", folder=str(tmp_path))
    for title in ("train expert a", "fine-tune a"):
        with keeping(there, title=title) as kept:
            there.log_metrics({"dev": 0.5}, step=7)
        here.running("another, begun since")
        with patch.object(here, "_write") as write:
            kept.pass_on(here)
        write.assert_called_once_with({f"{title}/dev": 0.5, "step": 7})
