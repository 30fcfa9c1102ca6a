"""What each process of the web server does before it answers (config/gunicorn.py)."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

from config.gunicorn import post_worker_init
from tools.installation import from_environment
from tools.supervise import children


def test_no_collection_goes_through_what_was_loaded() -> None:
    loaded = len(gc.get_objects())
    try:
        post_worker_init(None)
        assert "emotion.api_urls" in sys.modules
        assert gc.get_freeze_count() > loaded / 2
        assert len(gc.get_objects()) < loaded / 10
    finally:
        gc.unfreeze()


def test_the_web_server_is_started_with_it(tmp_path: Path) -> None:
    installation = from_environment({**os.environ, "CONSENTRY_VAR": str(tmp_path)}, 8000)
    command = children(installation, "127.0.0.1", 8000)[0].command
    assert command[command.index("--config") + 1] == "python:config.gunicorn"
