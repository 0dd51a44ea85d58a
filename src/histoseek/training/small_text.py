"""A small text encoder to be trained from scratch, with a tokenizer learnt from the reports that it trains on."""

from __future__ import annotations

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from string import ascii_lowercase, digits, punctuation
from typing import TYPE_CHECKING

from histoseek.encoders.text.folder import ModelFolder
from histoseek.encoders.text.pretrained import require_packages
from histoseek.errors import ConfigurationError, TooFewWords
from histoseek.files import fsync_path, write_atomic
from histoseek.training.new_folder import writing_folder

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor

LEAST_PATIENTS = 3
"""A word that fewer patients' reports have is no token of its own: it may name somebody, and weights are passed on."""

LEAST_WORDS = 10
"""Reports of fewer different words can't be told apart by them."""

_PREFIX, _UNKNOWN = "##", "[UNK]"
_SPECIAL = ("[PAD]", _UNKNOWN, "[CLS]", "[SEP]", "[MASK]")
_GREEK = "αβγδεζηθικλμνξοπρςστυφχψω"
_SIGNS = "\u00b0\u00b1\u00d7\u00f7\u00b5\u2264\u2265\u2248\u2192\u2013\u2014\u2018\u2019\u201c\u201d\u2022\u00a7"
_LETTERS_THAT_STAY = "\u00df\u00e6\u00f8\u0153\u0142\u0111\u00fe\u00f0\u0131"
"""Latin letters that are no letter with an accent, which the tokenizer takes off."""

_ALPHABET = tuple(dict.fromkeys((*ascii_lowercase, *digits, *punctuation, *_GREEK, *_SIGNS, *_LETTERS_THAT_STAY)))
_OWN = "histoseek.json"


@dataclass(frozen=True, slots=True)
class SmallTextSizes:
    """Sizes of the network; the first three are those of FGCR's text encoder (doi 10.1016/j.media.2024.103163).

    context_tokens: most tokens that it reads at once; most_tokens: of its vocabulary, without single characters.
    """

    layers: int = 6
    heads: int = 4
    width: int = 256
    context_tokens: int = 256
    most_tokens: int = 8192

    def __post_init__(self) -> None:
        if min(astuple(self)) < 1 or self.width % self.heads:
            what = f"{self.layers} layers of {self.heads} heads and width {self.width} make no network"
            raise ConfigurationError("text encoder small", what, "Let the width be a multiple of the heads")


def make_small_text_encoder(
    folder: Path,
    reports: Sequence[str],
    patients: Sequence[str],
    phrases: Sequence[str] = (),
    *,
    seed: int = 0,
    sizes: SmallTextSizes | None = None,
) -> str:
    """Write an untrained BERT-like encoder with its tokenizer; the spec ("transformers@/folder") that loads it.

    Its word pieces (Schuster and Nakajima 2012) are of the words that reports of at least LEAST_PATIENTS patients
    have, and of phrases; all else is spelt with shorter pieces or single characters. reports: de-identified, those of
    the train part; patients: whose each is. The same arguments give the same bytes (of one version of torch), and a
    folder that was made from them already is left as it is. Raises TooFewWords; ConfigurationError for a folder that
    holds anything else or can't be written; MissingExtra.
    """
    require_packages()
    sizes = sizes or SmallTextSizes()
    words = _count_words(reports, patients)
    if len(words) < LEAST_WORDS:
        raise TooFewWords(len(words), LEAST_WORDS, LEAST_PATIENTS)
    for word in sorted({word for phrase in phrases for word in _split(phrase)}):
        words.setdefault(word, LEAST_PATIENTS)
    made_from = hashlib.sha256(repr((sorted(words.items()), seed, astuple(sizes))).encode()).hexdigest()
    if ModelFolder(folder).config(_OWN).get("made_from") != made_from:
        with writing_folder(folder) as temporary:
            _fill(temporary, words, sizes, seed, made_from)
    return f"transformers@{os.path.abspath(folder)}"  # noqa: PTH100


def _count_words(reports: Sequence[str], patients: Sequence[str]) -> dict[str, int]:
    """The words that enough patients' reports have, and how many patients that is."""
    owners: dict[str, set[str]] = defaultdict(set)
    for report, patient in zip(reports, patients, strict=True):
        for word in _split(report):
            owners[word].add(patient)
    return {word: len(each) for word, each in sorted(owners.items()) if len(each) >= LEAST_PATIENTS}


def _split(text: str) -> Iterator[str]:
    """The words of letters in a text as the tokenizer sees them, in order; numbers are read by digits."""
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer

    plain = BertNormalizer(strip_accents=True, lowercase=True).normalize_str(text)
    return (word for word, _ in BertPreTokenizer().pre_tokenize_str(plain) if word.isalpha())


def _fill(temporary: Path, words: Mapping[str, int], sizes: SmallTextSizes, seed: int, made_from: str) -> None:
    from safetensors.torch import save
    from transformers import BertConfig

    tokenizer = learn_tokenizer(words, sizes.most_tokens)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=sizes.width,
        num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads,
        intermediate_size=4 * sizes.width,
        max_position_embeddings=sizes.context_tokens,
        pad_token_id=_SPECIAL.index("[PAD]"),
        architectures=["BertModel"],
    )
    config.save_pretrained(temporary)
    write_atomic(temporary / "tokenizer.json", tokenizer.to_str().encode())
    write_atomic(temporary / "model.safetensors", save(_draw_weights(config, seed), {"format": "pt"}))
    facts = {"pooling": "mean", "context_tokens": sizes.context_tokens, "made_from": made_from}
    write_atomic(temporary / _OWN, json.dumps(facts).encode())
    fsync_path(temporary)


def learn_tokenizer(words: Mapping[str, int], most_tokens: int) -> Tokenizer:
    """A tokenizer of word pieces, as BERT's in lower case, the same in every process.

    words: of letters, with how many patients' reports have each; most_tokens: beside single characters, which it has
    all of, and special tokens.
    """
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer, Digits, Sequence
    from tokenizers.processors import TemplateProcessing
    from tokenizers.trainers import WordPieceTrainer

    letters = sorted({letter for word in words for letter in word} - set(_ALPHABET))
    characters = [form for letter in (*_ALPHABET, *letters) for form in (letter, _PREFIX + letter)]
    learnt = Tokenizer(WordPiece(unk_token=_UNKNOWN))
    learnt.pre_tokenizer = BertPreTokenizer()
    # Where the trainer is not given the characters, it numbers them as they come, in another order each time, and
    # breaks ties between pieces by these numbers.
    trainer = WordPieceTrainer(
        vocab_size=most_tokens + len(characters),
        min_frequency=LEAST_PATIENTS,
        special_tokens=[*_SPECIAL, *characters],
        continuing_subword_prefix=_PREFIX,
        show_progress=False,
    )
    learnt.train_from_iterator((" ".join([word] * count) for word, count in sorted(words.items())), trainer)
    vocabulary = learnt.get_vocab()
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token=_UNKNOWN))
    tokenizer.normalizer = BertNormalizer(strip_accents=True, lowercase=True)
    tokenizer.pre_tokenizer = Sequence([BertPreTokenizer(), Digits(individual_digits=True)])
    ends = [(name, vocabulary[name]) for name in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    tokenizer.add_special_tokens(list(_SPECIAL))
    return tokenizer


def _draw_weights(config: object, seed: int) -> dict[str, Tensor]:
    import torch
    from transformers import BertModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = BertModel(config, add_pooling_layer=False)
    return {name: value.contiguous() for name, value in model.state_dict().items()}
