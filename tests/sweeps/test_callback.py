"""The callback that Hydra makes for every command."""

import subprocess
import sys

import pytest
from omegaconf import OmegaConf

from dfwe.sweeps.callback import SweepCallback


def test_it_is_made_without_torch():
    code = (
        "import sys; from dfwe.sweeps.callback import SweepCallback; SweepCallback(); "
        "assert not {'torch', 'transformers', 'pytorch_lightning', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("report", "overrides", "is_written"),
    [
        (True, ["+target=meld"], True),
        (False, ["+target=meld", "+sweep=all_targets"], True),
        (False, ["+target=meld", "report=false"], False),
    ],
)
def test_a_sweep_has_a_page_unless_the_command_refuses_it(tmp_path, monkeypatch, report, overrides, is_written):
    pages = []
    monkeypatch.setattr("dfwe.sweeps.callback._write_page", pages.append)
    monkeypatch.setattr("dfwe.report.sweep.report.report_sweep", lambda folder: None)
    hydra = {"sweep": {"dir": str(tmp_path)}, "overrides": {"task": overrides}}
    hydra["launcher"] = {"_target_": "hydra._internal.core_plugins.basic_launcher.BasicLauncher"}
    SweepCallback().on_multirun_end(OmegaConf.create({"report": report, "hydra": hydra}))
    assert pages == ([tmp_path] if is_written else [])
