"""The user's own configuration: what its classes raise is the user's error."""

import pytest

from dfwe.config.instantiate import bind
from dfwe.errors import ConfigurationError


def test_a_class_that_does_not_exist_is_a_configuration_error():
    with pytest.raises(ConfigurationError, match=r"dfwe\.metrics\.none"):
        bind({"_target_": "dfwe.metrics.none.None"})
