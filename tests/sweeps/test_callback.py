"""The callback that Hydra makes for every command."""

import subprocess
import sys


def test_it_is_made_without_torch():
    code = (
        "import sys; from dfwe.sweeps.callback import SweepCallback; SweepCallback(); "
        "assert not {'torch', 'transformers', 'pytorch_lightning', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
