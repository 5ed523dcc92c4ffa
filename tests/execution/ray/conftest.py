"""One Ray for all tests."""

import os

import pytest


@pytest.fixture(scope="session")
def on_ray():
    """Ray's module, with a Ray of this machine that has room for four workers."""
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'dfwe[ray]'")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield ray
    ray.shutdown()
