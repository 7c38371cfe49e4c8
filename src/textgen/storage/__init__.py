"""Stores bytes: atomic writes, the files that come with the package, the user's directories, and buckets."""

from textgen.storage.bucket_directory import NOT_THERE, BucketDirectory, StoredObject
from textgen.storage.bucket_names import below, can_be_local, check_local_name, is_bucket, is_uri
from textgen.storage.bucket_settings import BucketSettings, bucket_settings
from textgen.storage.buckets import (
    Fingerprint,
    copy_to,
    fetch,
    fetch_argument,
    fetch_directory,
    fetch_part,
    name_by_content,
    upload_once,
)
from textgen.storage.directories import BASE, as_typed, base_path, bundled, cache_directory, state_path
from textgen.storage.files import (
    atomic_path,
    find,
    make_directory,
    open_atomic,
    parse_object,
    read_text,
    remove,
    remove_abandoned,
    remove_old_temporaries,
    write_atomic,
)
from textgen.storage.lease import Holder, Lease
from textgen.storage.mirror import Mirror, Upload

__all__ = [
    "BASE",
    "NOT_THERE",
    "BucketDirectory",
    "BucketSettings",
    "Fingerprint",
    "Holder",
    "Lease",
    "Mirror",
    "StoredObject",
    "Upload",
    "as_typed",
    "atomic_path",
    "base_path",
    "below",
    "bucket_settings",
    "bundled",
    "cache_directory",
    "can_be_local",
    "check_local_name",
    "copy_to",
    "fetch",
    "fetch_argument",
    "fetch_directory",
    "fetch_part",
    "find",
    "is_bucket",
    "is_uri",
    "make_directory",
    "name_by_content",
    "open_atomic",
    "parse_object",
    "read_text",
    "remove",
    "remove_abandoned",
    "remove_old_temporaries",
    "state_path",
    "upload_once",
    "write_atomic",
]
