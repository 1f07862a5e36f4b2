"""``python main.py …`` is the ``rtgain`` command."""

import sys

from rtgain.cli.main import program

if __name__ == "__main__":
    sys.exit(program())
