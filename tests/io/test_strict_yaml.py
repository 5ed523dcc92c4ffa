import time

import pytest
from omegaconf import OmegaConf

from dfwe.conf import conf_dir
from dfwe.errors import ConfigurationError, MergeError
from dfwe.io.strict_yaml import MAX_DEPTH, loads, read_yaml

_BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)
)
_MERGED_BOMB = "a0: &a0 {x: 1}\n" + "".join(
    f"a{n}: &a{n}\n  <<: [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (_BOMB, "f.yaml, line 6, column 5: "),
        (_BOMB, "with its aliases written out it has more than 100000 values"),
        (_MERGED_BOMB, "with its aliases written out"),
        ("a: &a [*a]", "within what it stands for"),
        ("a: &a\n  b: *a", "within what it stands for"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), f"column 31: it is nested deeper than {MAX_DEPTH} levels"),
        ("[" * 20_000, "nested deeper"),
        ("".join(f"a{n}: &a{n} [{f'*a{n - 1}' if n else ''}]\n" for n in range(500)), "has more than 30 levels"),
        ('a: 1\nb: !!int "x"', "line 2, column 4: 'x' is not a value of its tag !!int"),
        ('a: !!bool "x"', "'x' is not a value of its tag !!bool"),
        ("a: !!float x", "'x' is not a value of its tag !!float"),
        ("a: !!timestamp 2024-99-99", "'2024-99-99' is not a value of its tag !!timestamp"),
        ("a: !!timestamp x", "not a value of its tag !!timestamp"),
        ("a: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ("a: 1.0e+400", "no float can hold '1.0e+400'"),
        ("a: 1e400", "no float can hold '1e400'"),
        ("a: " + "9" * 5000, "is not a value of its tag !!int"),
        ("a: " + "9" * 400, "more than 300 digits"),
        ("a: 1\na: 2", "line 2, column 1: the key 'a' comes twice"),
        ("? [a]\n: 1", "a key must be a text"),
        ("a:\n\tb: 1", "line 2, column 1"),
        ("a: [", "expected"),
        ("a: 1\n---\nb: 2", "expected a single document in the stream, but found another document"),
        ("a: \x1b", "not allowed"),
    ],
)
def test_loads_of_wrong_text_says_file_and_place(text, words):
    began = time.monotonic()
    with pytest.raises(ConfigurationError) as error:
        loads(text, where="f.yaml")
    assert words in str(error.value)
    assert str(error.value).startswith("f.yaml")
    assert "\n" not in str(error.value)
    assert time.monotonic() - began < 5


def test_loads_plain_values_as_hydra_reads_them():
    text = "a: 1e-3\nb: 2024-01-01\nc: yes\nd: .inf\ne: null\nf: 0x10\ng: [1.5, '1e-3', text]\nh: {<<: &x {i: 1}, j: 2}"
    expected = OmegaConf.to_container(OmegaConf.create(text.replace("{<<: &x {i: 1}, j: 2}", "{i: 1, j: 2}")))
    assert loads(text, where="f") == expected


def test_read_yaml_of_every_configuration_gives_hydras_values():
    for path in conf_dir().rglob("*.yaml"):
        assert (read_yaml(path) or {}) == OmegaConf.to_container(OmegaConf.load(path)), path


def test_read_yaml_raises_the_error_that_is_asked_for(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_bytes(b"a: \xff")
    with pytest.raises(MergeError, match=r"r\.yaml, line 1: the file must be UTF-8 text"):
        read_yaml(path, error=MergeError)
