"""Stores bytes: atomic writes, the files that come with the package, the user's directories, and buckets."""

from textgen.storage.bucket_directory import NOT_THERE, BucketDirectory, StoredObject
from textgen.storage.bucket_settings import BucketSettings, bucket_settings
from textgen.storage.buckets import (
    Fingerprint,
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
    remove_old_temporaries,
    write_atomic,
)
from textgen.storage.json_object import parse_object
from textgen.storage.lease import Holder, Lease
from textgen.storage.mirror import Mirror, Upload
from textgen.storage.object_names import can_be_local, check_local_name
from textgen.storage.state import state_path
from textgen.storage.uris import below, is_bucket, is_uri

__all__ = [
    "NOT_THERE",
    "BucketDirectory",
    "BucketSettings",
    "Fingerprint",
    "Holder",
    "Lease",
    "Mirror",
    "StoredObject",
    "Upload",
    "atomic_path",
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
