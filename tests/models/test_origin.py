"""What a parent says of its licence and languages."""

import json

import pytest

from dfwe.models.origin import Origin, front_matter, origin_of


@pytest.mark.parametrize(
    ("card", "config", "license", "languages"),
    [
        ("---\nlicense: mit\nlanguage: [en, de]\n---\n# A model\n", {}, "mit", ("en", "de")),
        ("---\nlicense: mit\nlanguage: en\n---", {}, "mit", ("en",)),
        ("---\nlicense: other\nlicense_name: a-rare-one\n---\n", {}, "a-rare-one", ()),
        ("---\nlicense: mit\n---\n", {"license": "gpl"}, "mit", ()),
        (None, {"license": "gpl"}, "gpl", ()),
        ("# A model under mit\n", {}, "", ()),
        (None, {}, "", ()),
        ("---\nlicense: [unclosed\n---\n", {}, "", ()),
    ],
)
def test_licence_is_what_card_or_configuration_says(tmp_path, card, config, license, languages):
    if card is not None:
        (tmp_path / "README.md").write_text(card)
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert origin_of(tmp_path, title="it") == Origin("it", None, license, languages)


def test_broken_card_is_told_once(tmp_path, caplog):
    (tmp_path / "README.md").write_text("---\nlicense: [unclosed\n---\n")
    origin_of(tmp_path, title="it")
    assert "the licence is not known" in caplog.text
    assert "README.md" in caplog.text


def test_file_has_the_card_of_its_folder(tmp_path):
    (tmp_path / "README.md").write_text("---\nlicense: mit\n---\n")
    (tmp_path / "model.safetensors").touch()
    assert origin_of(tmp_path / "model.safetensors", title="it").license == "mit"
    assert front_matter(tmp_path) == {"license": "mit"}


def test_repository_is_named_and_says_nothing_here():
    assert origin_of("google/flan-t5-base", title="flan") == Origin("flan", "google/flan-t5-base")
    assert origin_of("t5_toy", title="toy") == Origin("toy")
