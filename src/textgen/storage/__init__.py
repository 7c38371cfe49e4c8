"""Where bytes lie: whole-or-nothing writing, the files that travel with the package, the cache, buckets."""

from textgen.storage.buckets import fetch, is_bucket
from textgen.storage.bundled import bundled
from textgen.storage.cache import cache_directory
from textgen.storage.files import (
    atomic_path,
    find,
    make_directory,
    open_atomic,
    read_text,
    remove,
    remove_abandoned,
    write_atomic,
)

__all__ = [
    "atomic_path",
    "bundled",
    "cache_directory",
    "fetch",
    "find",
    "is_bucket",
    "make_directory",
    "open_atomic",
    "read_text",
    "remove",
    "remove_abandoned",
    "write_atomic",
]
