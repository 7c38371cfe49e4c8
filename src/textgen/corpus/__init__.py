"""Turns files into a text, and a text into sections, tokens and a vocabulary; does not use TensorFlow.

- `sources`, `folder`, `local_folder`: the files to read
- `reading`, `formats`: bytes -> text
- `doubts`: signs of a wrong encoding
- `wrap_width`, `unwrapping`: hard-wrapped paragraphs -> one line each
- `section`: a contiguous part of a text
- `sections`: the parts for training, validation and test
- `words`: the definition of a word
- `tokenizers`: text <-> tokens
- `joiners`: tokens -> text, one at a time
- `vocabulary`: tokens <-> token ids
- `coverage`: the share of a text's tokens that a vocabulary lacks
- `white_space`: the tokens that may or may not follow white space, depending on the text
- `corpus`: a text with its sections and its vocabulary
- `copy_cache`, `copy_index`, `short_copy`, `span_hash`: the search for passages of other texts in it. They load NumPy, so they are not
  imported here.
- `cached_array`: arrays in the cache. It loads NumPy, too.

The text is read in pieces of about a million characters, so a corpus can be larger than memory. Only the copy index keeps the
whole text.
"""

from textgen.corpus.corpus import Corpus, keep_split, open_corpus, replace_vocabulary
from textgen.corpus.joiners import Joiner
from textgen.corpus.section import Section
from textgen.corpus.sections import Sections, open_sections
from textgen.corpus.sources import Sources, find_sources, prefix_of
from textgen.corpus.tokenizers import Tokenizer, make_tokenizer
from textgen.corpus.vocabulary import FIRST_TOKEN_ID, UNKNOWN, UNKNOWN_ID, Vocabulary
from textgen.corpus.white_space import is_restricted, longest_after_white_space

__all__ = [
    "FIRST_TOKEN_ID",
    "UNKNOWN",
    "UNKNOWN_ID",
    "Corpus",
    "Joiner",
    "Section",
    "Sections",
    "Sources",
    "Tokenizer",
    "Vocabulary",
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
