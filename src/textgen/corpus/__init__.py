"""Files -> text -> train, valid, test -> tokens -> vocabulary; knows nothing of models or TensorFlow.

- `sources`, `folder`: which files
- `reading`, `formats`: bytes -> text
- `doubts`: what is doubtful about how they were decoded
- `section`: a contiguous part of a text
- `words`: what a word is
- `tokenizers`: text <-> tokens
- `joiners`: tokens -> text, one at a time
- `vocabulary`: tokens <-> token ids
- `coverage`: the share of a text that a vocabulary lacks
- `white_space`: the tokens that may or may not follow white space, depending on the text
- `corpus`: all of it together
- `copy_cache`, `copy_index`, `short_copy`, `span_hash`: which passages of another text occur in it; they load NumPy, and
  are imported by name

Text passes through in pieces of about a million characters, so that a corpus may be larger than memory; only the copy
index keeps all of it.
"""

from textgen.corpus.corpus import Corpus, Sections, keep_split, open_corpus, open_sections, replace_vocabulary
from textgen.corpus.joiners import Joiner
from textgen.corpus.section import Section
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
