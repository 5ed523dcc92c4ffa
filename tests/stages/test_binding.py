"""Configurations from elsewhere name classes of dfwe's alone."""

import pytest

from dfwe.errors import ModelError
from dfwe.options import read_tasks
from dfwe.stages.binding import check_own
from dfwe.stages.configs import plain


def test_the_tasks_that_dfwe_has_pass():
    check_own({short: plain(config) for short, config in read_tasks().items()}, where="here")


@pytest.mark.parametrize(
    "target",
    ["subprocess.run", "dfwe.store.store.shutil.rmtree", "dfwe.predict.json.JSONDecoder", "dfwe.none.None", "dfwe", 3],
)
def test_a_name_that_leads_elsewhere_is_refused(target):
    with pytest.raises(ModelError, match="names .*no class of dfwe: say --trust"):
        check_own({"task": {"metrics": [{"_target_": target}]}}, where="merged")
