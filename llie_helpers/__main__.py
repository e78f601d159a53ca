"""Run the command line: ``python -m llie_helpers``."""

import sys

from llie_helpers.cli import main

if __name__ == "__main__":
    sys.exit(main())
