"""`python -m textgen` is `textgen`."""

import sys

from textgen.cli.start import textgen

sys.exit(textgen())
