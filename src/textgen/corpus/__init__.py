"""Turns files into a text, and a text into sections, tokens and a vocabulary; does not use TensorFlow.

- `sources`, `folder`: the files to read
- `decoding`: bytes -> text
- `foreign_files`: documents, images and archives, which are no text
- `encoding_report`: signs of a wrong encoding
- `unwrapping`: hard-wrapped paragraphs -> one line each
- `sections`: the parts for training, validation and test
- `tokenizer`: text <-> tokens, for any kind of tokens
- `tokenizers`, `words`, `pretokenized`: each kind of tokens, and the table of all
- `vocabulary`: tokens <-> token ids
- `corpus`: a text with its sections and its vocabulary
- `copy_index`: the search for passages of other texts in it. It loads NumPy, so it is not imported here.
- `cached_array`: arrays in the cache. It loads NumPy, too.

The text is read in pieces of about a million characters, so a corpus can be larger than memory. Only the copy index keeps the
whole text.
"""

from textgen.corpus.corpus import Corpus, keep_split, open_corpus, replace_vocabulary
from textgen.corpus.folder import PROJECTOR_FILES
from textgen.corpus.sections import Section, open_sections
from textgen.corpus.sources import Sources, find_sources, prefix_of
from textgen.corpus.tokenizer import UNKNOWN, Joiner, Tokenizer
from textgen.corpus.tokenizers import LaterTokenizerError, all_versions, make_tokenizer
from textgen.corpus.vocabulary import FIRST_TOKEN_ID, UNKNOWN_ID, Vocabulary, count_tokens
from textgen.corpus.words import is_restricted, longest_after_white_space

__all__ = [
    "FIRST_TOKEN_ID",
    "PROJECTOR_FILES",
    "UNKNOWN",
    "UNKNOWN_ID",
    "Corpus",
    "Joiner",
    "LaterTokenizerError",
    "Section",
    "Sources",
    "Tokenizer",
    "Vocabulary",
    "all_versions",
    "count_tokens",
    "find_sources",
    "is_restricted",
    "keep_split",
    "longest_after_white_space",
    "make_tokenizer",
    "open_corpus",
    "open_sections",
    "prefix_of",
    "replace_vocabulary",
]
