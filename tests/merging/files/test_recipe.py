"""mergekit's recipe format."""

import pytest

from dfwe.errors import MergeError
from dfwe.merging.files.recipe import read_recipe


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"models: [a", "recipe.yaml, line 1, column 11: while parsing"),
        (b"- models", "recipe.yaml is not a recipe: expected `merge_method`"),
        (b"", "recipe.yaml is not a recipe: expected `merge_method`"),
        (b"dtype: float32\ndtype: float16\n", "the key 'dtype' comes twice"),
        (b"\xff\xfe", "recipe.yaml, line 1: the file must be UTF-8"),
        (None, "recipe.yaml is missing"),
    ],
)
def test_read_recipe_of_broken_files_is_an_error(tmp_path, content, message):
    if content is not None:
        (tmp_path / "recipe.yaml").write_bytes(content)
    with pytest.raises(MergeError) as caught:
        read_recipe(tmp_path / "recipe.yaml")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_read_recipe_has_models_in_method_order(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("merge_method: slerp\nbase_model: b\nmodels: [{model: a}, {model: b}]\nparameters: {t: 1e-1}\n")
    recipe = read_recipe(path)
    assert (recipe.models, recipe.base) == (("b", "a"), "b")
    assert recipe.at(["w"])["w"][1] == (0.9, 0.1)
