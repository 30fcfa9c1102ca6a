#!/usr/bin/env python
"""Django's command line for Consentry."""

import sys

from config.starting import run_command

if __name__ == "__main__":
    run_command(sys.argv)
