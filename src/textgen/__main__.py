"""Makes `python -m textgen` the same as `textgen`."""

import sys

from textgen.cli.start import textgen

sys.exit(textgen())
