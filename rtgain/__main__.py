"""``python -m rtgain …`` is the ``rtgain`` command."""

import sys

from rtgain.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
