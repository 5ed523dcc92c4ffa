"""Settings of a command, as Hydra reads them."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from dfwe.values.overrides import quoted_value


@pytest.mark.parametrize("text", ["a b", "a\\b", "a\\", "it's", "a\\'b", "/x y/\\\\z", "", "[1, {a: b}]", "\\\\'"])
def test_hydra_reads_a_quoted_value_as_it_is(text):
    assert OverridesParser.create().parse_override(f"key={quoted_value(text)}").value() == text
