"""Logs and metrics of a worker appear where the study was started."""

import logging
from unittest.mock import patch

from pytorch_lightning.loggers import CSVLogger

from dfwe.execution.ray.logs import BufferedMetrics, capture_logs
from dfwe.execution.tracking import wandb_logger


def test_stage_log_replays_lines_and_metrics_once(caplog, tmp_path):
    buffer, logger = BufferedMetrics(), CSVLogger(tmp_path, name="logs")
    with capture_logs(buffer) as log:
        logging.getLogger("dfwe.stages.train").info("%d epochs", 3)
        logging.getLogger("other").warning("not of dfwe")
        buffer.log_metrics({"dev": 0.5}, step=7)
    caplog.clear()
    with caplog.at_level(logging.INFO):
        log.replay(logger)
    assert [(record.name, record.levelname, record.getMessage()) for record in caplog.records] == [
        ("dfwe.stages.train", "INFO", "3 epochs")
    ]
    assert (tmp_path / "logs" / "version_0" / "metrics.csv").read_text().split() == ["dev,step", "0.5,7"]
    with capture_logs(buffer) as log:
        pass
    assert (log.lines, log.metrics) == ([], [])
    log.replay(False)


def test_stage_log_metrics_have_the_title_of_their_stage(tmp_path):
    buffer, logger = BufferedMetrics(), wandb_logger(project="test", folder=str(tmp_path))
    for title in ("train expert a", "fine-tune a"):
        with capture_logs(buffer, title=title) as log:
            buffer.log_metrics({"dev": 0.5}, step=7)
        logger.running("another, begun since")
        with patch.object(logger, "_write") as write:
            log.replay(logger)
        write.assert_called_once_with({f"{title}/dev": 0.5, "step": 7})
