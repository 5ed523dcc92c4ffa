"""One encoder, several heads."""

import pytest
import torch
from transformers import AutoTokenizer, BertConfig, BertModel

from dfwe.errors import ConfigurationError, ModelError
from dfwe.families.fast.dropout import LightDropout
from dfwe.families.multi_head.heads.classification import Classification
from dfwe.families.multi_head.heads.pair_classification import PairClassification
from dfwe.families.multi_head.heads.similarity import SimilarityHead
from dfwe.families.multi_head.model import MultiHead, load_multi_head
from dfwe.merging.expert_array import copy_weights, flatten, load_weights, save_weights

PAIR = {"columns": ["a", "b"], "pooling": "mean", "dropout": 0.3, "hidden": 8}
MOOD = (Classification(["text"], pooling="pooler", dropout=0.3), ["bad", "good"])
SAME = (PairClassification(**PAIR, features=["u", "v", "abs_difference"]), ["no", "yes"])
ALIKE = (SimilarityHead(**PAIR, squash="clamp", k=0.9, low=0.0, high=5.0), [])
SPECS = {"mood": MOOD, "same": SAME, "alike": ALIKE}


@pytest.fixture
def model(tiny_bert):
    return load_multi_head(tiny_bert, specs=SPECS, seed=3)


@pytest.fixture(scope="module")
def tokenizer(tiny_bert):
    return AutoTokenizer.from_pretrained(tiny_bert)


def batch_of(tokenizer, task, *texts):
    tokens = tokenizer(list(texts), padding=True, return_tensors="pt")
    return {"task": task, "input_ids": tokens["input_ids"], "attention_mask": tokens["attention_mask"]}


def test_the_batchs_task_chooses_the_head(model, tokenizer):
    texts = ["a merry tale", "the kettle is warm", "merry and mild", "is the kettle warm?"]
    assert model(batch_of(tokenizer, "mood", *texts)).shape == (4, 2)
    assert model(batch_of(tokenizer, "same", *texts)).shape == (2, 2)
    assert model(batch_of(tokenizer, "alike", *texts)).shape == (2, 1)


def test_an_example_is_the_first_half_with_the_second(model, tokenizer):
    """Sentence-major: alike is 5 where row i of both halves is the same sentence, whatever its neighbours are."""
    texts = ["a merry tale", "the kettle is warm"]
    with torch.no_grad():
        outputs = model(batch_of(tokenizer, "alike", *texts, *texts))
        alone = model(batch_of(tokenizer, "alike", texts[0], texts[0]))
    assert torch.allclose(outputs[:, 0], torch.tensor([5.0, 5.0]))
    assert torch.allclose(outputs[0], alone[0])


@pytest.mark.parametrize("task", ["mood", "same", "alike"])
def test_padding_changes_nothing(model, tokenizer, task):
    long = ["the broth is mild and dull"] * 2
    with torch.no_grad():
        short = model(batch_of(tokenizer, task, "merry", "mild"))
        padded = model(batch_of(tokenizer, task, "merry", long[0], "mild", long[1]))
    rows = [0, 2] if task == "mood" else [0]
    assert torch.allclose(padded[rows], short, atol=1e-6)


@pytest.mark.parametrize("pooling", ["pooler", "cls", "mean"])
def test_a_sentences_embedding_is_pooled_as_the_head_says(tiny_bert, tokenizer, pooling):
    spec = Classification(["text"], pooling=pooling, dropout=0.0)
    model = load_multi_head(tiny_bert, specs={"mood": (spec, ["bad", "good"])}, seed=0)
    batch = batch_of(tokenizer, "mood", "merry", "the broth is mild")
    mask = batch["attention_mask"]
    with torch.no_grad():
        read = model.encoder(input_ids=batch["input_ids"], attention_mask=mask)
        states = read.last_hidden_state
        mean = torch.stack([states[row, : int(mask[row].sum())].mean(0) for row in range(2)])
        expected = {"pooler": read.pooler_output, "cls": states[:, 0], "mean": mean}[pooling]
        assert torch.allclose(model(batch), model.heads["mood"](expected[None]), atol=1e-6)


def test_its_own_word_embeddings_give_the_same_and_others_something_else(model, tokenizer):
    batch = batch_of(tokenizer, "same", "a merry tale", "the kettle is warm")
    embeddings = model.embed(batch)
    assert embeddings.shape == (*batch["input_ids"].shape, 16)
    assert torch.allclose(model(batch, embeddings=embeddings), model(batch))
    moved = embeddings.detach().requires_grad_()
    model(batch, embeddings=moved + 0.1 * torch.randn_like(embeddings)).sum().backward()
    assert moved.grad.abs().sum() > 0


def test_a_head_does_not_depend_on_the_others_and_repeats_with_the_seed(tiny_bert, model):
    fewer = load_multi_head(tiny_bert, specs={"alike": ALIKE}, seed=3)
    other = load_multi_head(tiny_bert, specs={"alike": ALIKE}, seed=4)
    for mine, same, another in zip(*(each.heads["alike"].parameters() for each in (model, fewer, other)), strict=True):
        assert torch.equal(mine, same)
        assert not torch.equal(mine, another)


def test_heads_of_one_form_begin_apart(tiny_bert):
    model = load_multi_head(tiny_bert, specs={"mood": MOOD, "taste": MOOD}, seed=0)
    assert not torch.equal(model.heads["mood"].network.output.weight, model.heads["taste"].network.output.weight)


def test_loading_leaves_torchs_generator_alone(tiny_bert):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    model = load_multi_head(tiny_bert, specs=SPECS, seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    assert not model.training


def test_weights_come_back_by_their_tensors_names(model, tiny_bert, tokenizer, tmp_path):
    save_weights(model, tmp_path / "weights.safetensors")
    other = load_multi_head(tiny_bert, specs=SPECS, seed=9)
    load_weights(other, tmp_path / "weights.safetensors", name="mine")
    batch = batch_of(tokenizer, "mood", "a merry tale")
    assert torch.equal(other(batch), model(batch))
    flat = flatten(other)
    copy_weights(other, dict(model.named_parameters()))
    assert flat.numel() == sum(parameter.numel() for parameter in model.parameters())
    assert torch.equal(other(batch), model(batch))


def test_the_encoder_is_the_folders_own(model, tiny_bert):
    encoder = BertModel.from_pretrained(tiny_bert)
    for name, parameter in encoder.named_parameters():
        assert torch.equal(parameter, model.encoder.get_parameter(name))


def test_a_task_without_a_head_is_named_with_those_there_are(model, tokenizer):
    with pytest.raises(ModelError, match="no head for task 'taste': the model has heads for mood, same, alike"):
        model(batch_of(tokenizer, "taste", "a merry tale"))


def test_an_encoder_without_a_pooler_is_refused_where_a_head_wants_one(tokenizer):
    config = BertConfig(vocab_size=300, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)
    head = MOOD[0].build(width=16, labels=["bad", "good"])
    model = MultiHead(BertModel(config, add_pooling_layer=False), heads={"mood": head})
    with pytest.raises(ModelError, match=r"has no pooler: say head\.pooling=cls or mean"):
        model(batch_of(tokenizer, "mood", "a merry tale"))


@pytest.mark.parametrize("name", ["v1.5", "keys", "train"])
def test_a_name_that_no_module_can_have_is_refused(tiny_bert, name):
    with pytest.raises(ModelError, match=f"a task with a head cannot be called '{name}'"):
        load_multi_head(tiny_bert, specs={name: MOOD}, seed=0)


def test_an_encoder_decoder_is_refused(tiny_t5):
    with pytest.raises(ModelError, match="holds an encoder-decoder, and studies have heads on encoders alone"):
        load_multi_head(tiny_t5, specs=SPECS, seed=0)


def test_a_checkpoint_with_gaps_is_refused(tiny_bert, tmp_path):
    import shutil

    from safetensors.torch import load_file, save_file

    shutil.copytree(tiny_bert, tmp_path / "model")
    tensors = load_file(tiny_bert / "model.safetensors")
    del tensors["pooler.dense.weight"]
    save_file(tensors, tmp_path / "model" / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=r"the checkpoint lacks pooler\.dense\.weight$"):
        load_multi_head(tmp_path / "model", specs=SPECS, seed=0)


def test_labels_that_a_head_cannot_have_are_refused(tiny_bert):
    with pytest.raises(ConfigurationError, match="takes no labels, the task has no, yes"):
        load_multi_head(tiny_bert, specs={"alike": (ALIKE[0], ["no", "yes"])}, seed=0)


def test_all_of_it_learns(model, tokenizer):
    """Two tasks at once on one encoder, whose weights both of them move."""
    batches = [
        batch_of(tokenizer, "mood", "merry", "dull"),
        batch_of(tokenizer, "same", "merry", "mild", "merry", "dull"),
    ]
    gold = torch.tensor([1.0, 0.0])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(60):
        optimizer.zero_grad()
        for batch in batches:
            model.heads[batch["task"]].losses(model(batch), gold).sum().backward()
        optimizer.step()
    assert model.heads["mood"].answers(model(batches[0])) == ("good", "bad")
    assert model.heads["same"].answers(model(batches[1])) == ("yes", "no")


@pytest.mark.parametrize("task", ["mood", "same", "alike"])
def test_it_trains_under_autocast_and_light_dropout(model, tokenizer, task):
    batch, gold = batch_of(tokenizer, task, "merry", "dull", "a mild tale", "the kettle"), torch.tensor([1.0, 0.0])
    with torch.no_grad():
        exact = model(batch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.allclose(model(batch).float(), exact, atol=0.1)
        model.train()
        with LightDropout():
            outputs = model(batch)[:2]
    losses = model.heads[task].losses(outputs, gold)
    losses.sum().backward()
    assert losses.dtype == torch.float32
    used = [name for name, p in model.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0]
    assert any(name.startswith("encoder.") for name in used)
    assert {name.split(".")[1] for name in used if name.startswith("heads.")} == {task}
