"""Files -> text -> train, valid, test -> tokens -> vocabulary; knows nothing of models or TensorFlow.

- `sources`, `folder`: which files
- `reading`, `formats`: bytes -> text
- `doubts`: what is doubtful about how they were decoded
- `section`: a contiguous part of a text
- `tokenizers`: text <-> tokens
- `joiners`: tokens -> text, one at a time
- `vocabulary`: tokens <-> token ids
- `coverage`: how much of a text a vocabulary lacks
- `white_space`: which tokens a text puts after white space, or never does
- `corpus`: all of it together
- `copy_cache`, `copy_index`, `short_copy`, `span_hash`: which passages of another text stand in it; they load NumPy, and
  are imported by name

Text passes through in pieces of about a million characters, so that a corpus may be larger than the memory; only the copy
index holds all of it.
"""

from textgen.corpus.corpus import Corpus, Sections, open_corpus, open_sections, replace_vocabulary
from textgen.corpus.joiners import Joiner
from textgen.corpus.section import Section
from textgen.corpus.sources import Sources, find_sources, prefix_of
from textgen.corpus.tokenizers import Tokenizer, make_tokenizer
from textgen.corpus.vocabulary import FIRST_TOKEN_ID, UNKNOWN, UNKNOWN_ID, Vocabulary
from textgen.corpus.white_space import is_bound

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
    "is_bound",
    "make_tokenizer",
    "open_corpus",
    "open_sections",
    "prefix_of",
    "replace_vocabulary",
]
