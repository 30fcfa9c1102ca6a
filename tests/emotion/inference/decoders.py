"""Programs in the place of a decoder."""

from __future__ import annotations

import select
import textwrap
import time
from pathlib import Path

from emotion.inference.children import Child

START = """import os, sys, time

def load():
    pass

def main(*arguments):
"""


def liar(folder: Path, program: str) -> Path:
    """A decoder that does something else, at the end of which it leaves."""
    path = folder / "liar.py"
    body = textwrap.indent(program, "    ")
    path.write_text(f"{START}{body}\n    sys.stdout.flush()\n    os._exit(0)\n")
    return path


def said(child: Child) -> str:
    """All that a child says until it ends."""
    found = b""
    while True:
        child.wait(child.output, select.POLLIN, time.monotonic() + 20)
        part = child.output.read(65536)
        if not part:
            return found.decode()
        found += part


def told(program: Path, *arguments: str) -> str:
    """The same of a new child of a program."""
    child = Child(program, *arguments)
    try:
        return said(child)
    finally:
        child.close()
