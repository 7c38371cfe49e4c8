"""Connects the processes that train one model together: the chief, which decides, and the workers.

This package does not deal with what they train, nor with TensorFlow, whose servers exchange the gradients. Its link is a
connection of its own, so that the chief can tell the others what to do, and so that all notice at once if one of them ends.
"""

from textgen.workers.chief import Chief, Ended
from textgen.workers.link import Message
from textgen.workers.local import end_with_parent, local_cluster
from textgen.workers.losses import lost
from textgen.workers.workers import Workers

__all__ = ["Chief", "Ended", "Message", "Workers", "end_with_parent", "local_cluster", "lost"]
