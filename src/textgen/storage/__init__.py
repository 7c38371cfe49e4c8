"""Where bytes lie: whole-or-nothing writing, the files that travel with the package, the cache, buckets."""

from textgen.storage.bucket_directory import NOT_THERE, BucketDirectory, StoredObject
from textgen.storage.buckets import (
    bucket_region,
    copy_to,
    fetch,
    fetch_argument,
    fetch_directory,
    name_by_content,
    upload_once,
)
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
from textgen.storage.lease import Holder, Lease
from textgen.storage.mirror import Mirror, Upload
from textgen.storage.uris import below, is_bucket, is_uri

__all__ = [
    "NOT_THERE",
    "BucketDirectory",
    "Holder",
    "Lease",
    "Mirror",
    "StoredObject",
    "Upload",
    "atomic_path",
    "below",
    "bucket_region",
    "bundled",
    "cache_directory",
    "copy_to",
    "fetch",
    "fetch_argument",
    "fetch_directory",
    "find",
    "is_bucket",
    "is_uri",
    "make_directory",
    "name_by_content",
    "open_atomic",
    "read_text",
    "remove",
    "remove_abandoned",
    "upload_once",
    "write_atomic",
]
