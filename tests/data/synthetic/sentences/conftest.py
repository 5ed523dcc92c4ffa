from pathlib import Path

import numpy as np
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from dfwe.data.synthetic.drawing import Draws
from dfwe.data.synthetic.sentences.frames import Noise, RowSampler


@pytest.fixture(scope="session")
def toy():
    """The generator of conf/data/toy_multitask.yaml."""
    path = Path(__file__).resolve().parents[4] / "conf" / "data" / "toy_multitask.yaml"
    return instantiate(OmegaConf.load(path).generator, _convert_="all")


@pytest.fixture
def exact(toy):
    """Draws by the rules alone, without noise."""
    return RowSampler(
        toy.style, Noise(sentiment=0.0, similarity=0.0, random_label=0.0), Draws(np.random.default_rng(3))
    )
