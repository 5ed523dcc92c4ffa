from pathlib import Path

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf


@pytest.fixture(scope="session")
def toy():
    """The generator of conf/data/toy.yaml."""
    path = Path(__file__).resolve().parents[4] / "conf" / "data" / "toy.yaml"
    return instantiate(OmegaConf.load(path).generator, _convert_="all")
