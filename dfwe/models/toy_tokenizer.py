"""Train small tokenizers for models that start from random weights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer
from transformers import PreTrainedTokenizerFast

_PAD, _EOS, _UNKNOWN = "<pad>", "</s>", "<unk>"  # ids 0, 1, 2, as in T5
_BERT = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")  # ids 0 to 4


def train_tokenizer(texts: Iterable[str], *, vocab_size: int) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer of at most `vocab_size` tokens; the same for the same texts in the same order.

    Like T5's it appends `</s>` and puts a blank before the text, so that a word is the same token at the start and
    inside. Every text comes back exactly as it was, blanks and case included: all 256 bytes are in the vocabulary
    (a smaller `vocab_size` is exceeded), and decoding removes that one blank again.
    """
    special = (_PAD, _EOS, _UNKNOWN)
    backend = _trained(
        texts, vocab_size=vocab_size, special=special, unknown=_UNKNOWN, normalizer=normalizers.Prepend(" ")
    )
    backend.post_processor = processors.TemplateProcessing(
        single=f"$A {_EOS}", special_tokens=[(_EOS, backend.token_to_id(_EOS))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token=_PAD,
        eos_token=_EOS,
        unk_token=_UNKNOWN,
        clean_up_tokenization_spaces=False,
    )


def train_decoder_tokenizer(texts: Iterable[str], *, vocab_size: int) -> PreTrainedTokenizerFast:
    """Train the same for decoder-only models: nothing is put before or behind a text."""
    special = (_PAD, _EOS, _UNKNOWN)
    backend = _trained(texts, vocab_size=vocab_size, special=special, unknown=_UNKNOWN, normalizer=None)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token=_PAD,
        eos_token=_EOS,
        unk_token=_UNKNOWN,
        clean_up_tokenization_spaces=False,
        padding_side="left",
    )


def train_bert_tokenizer(texts: Iterable[str], *, vocab_size: int) -> PreTrainedTokenizerFast:
    """Train the same for encoders: a sentence stands between `[CLS]` and `[SEP]`, in lower case as for an uncased BERT.

    A second one stands before a `[SEP]` of its own, in the segment 1.
    """
    lower = normalizers.Sequence([normalizers.Lowercase(), normalizers.Prepend(" ")])
    backend = _trained(texts, vocab_size=vocab_size, special=_BERT, unknown=_BERT[1], normalizer=lower)
    pad, unknown, cls, sep, mask = _BERT
    backend.post_processor = processors.TemplateProcessing(
        single=f"{cls} $A {sep}",
        pair=f"{cls} $A {sep} $B:1 {sep}:1",
        special_tokens=[(token, backend.token_to_id(token)) for token in (cls, sep)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token=pad,
        unk_token=unknown,
        cls_token=cls,
        sep_token=sep,
        mask_token=mask,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        clean_up_tokenization_spaces=False,
    )


def _trained(
    texts: Iterable[str],
    *,
    vocab_size: int,
    special: Sequence[str],
    unknown: str,
    normalizer: normalizers.Normalizer | None,
) -> Tokenizer:
    """Return a byte-level BPE; what a normalizer has put before a text, decoding removes."""
    backend = Tokenizer(BPE(unk_token=unknown))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    if normalizer is not None:
        backend.normalizer = normalizer
        backend.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Strip(" ", left=1, right=0)])
    trainer = BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(special),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    backend.train_from_iterator(texts, trainer=trainer)
    return backend
