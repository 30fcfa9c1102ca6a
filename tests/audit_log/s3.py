"""A real S3 server over a folder: rclone, which checks signatures and keeps the headers of objects."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

COMMAND = Path(sys.executable).with_name("rclone")
ID, SECRET = "AKIACONSENTRY", "only-for-these-tests"


class S3Server:
    """The server, with one bucket. ``files`` is the folder in which its objects lie as files."""

    def __init__(self, folder: Path) -> None:
        self.files = folder / "objects" / "copies"
        self.files.mkdir(parents=True)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url, log = f"http://127.0.0.1:{port}", folder / "s3.log"
        options = ["--addr", f"127.0.0.1:{port}", "--auth-key", f"{ID},{SECRET}", "--config", ""]
        command = [str(COMMAND), "serve", "s3", *options, str(folder / "objects")]
        with log.open("wb") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out, cwd=folder)
        deadline = time.monotonic() + 60
        while "Starting s3 server" not in log.read_text():
            assert self.process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)

    @property
    def variables(self) -> dict[str, str]:
        """What opens it."""
        return {
            "AWS_ACCESS_KEY_ID": ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_ENDPOINT_URL": self.url,
        }

    def end(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait(20)
