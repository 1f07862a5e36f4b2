"""Version of the installed package."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("rtgain")
except PackageNotFoundError:  # run from a checkout that is not installed
    __version__ = "0+unknown"
