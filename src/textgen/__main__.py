"""`python -m textgen` is `textgen`."""

import sys

from textgen.cli.main import main

sys.exit(main())
