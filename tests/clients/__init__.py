"""The Python client and its command, against real servers."""
