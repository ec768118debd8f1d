"""Examples are loaded as the command line loads them, and what that changes is put back."""

from tests.cli.conftest import clean_process

__all__ = ["clean_process"]
