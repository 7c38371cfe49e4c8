import os

from hypothesis import settings

# Keras and TensorFlow write to the terminal when they are loaded; this must stand before any test imports them.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# A shared machine can be slow at any moment; tests make no claim about time.
settings.register_profile("textgen", deadline=None)
settings.load_profile("textgen")
