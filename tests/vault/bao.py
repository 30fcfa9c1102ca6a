"""A real OpenBao server with a Transit mount, in memory, for as long as a test needs it."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from vault.providers.transit import TransitProvider

COMMAND = Path(sys.executable).with_name("bao")
POLICY = """
path "{mount}/keys/*" {{ capabilities = ["create", "read", "update", "delete", "list"] }}
path "{mount}/keys" {{ capabilities = ["list"] }}
path "{mount}/config/keys" {{ capabilities = ["read"] }}
path "{mount}/encrypt/*" {{ capabilities = ["update"] }}
path "{mount}/decrypt/*" {{ capabilities = ["update"] }}
"""


class Bao:
    """The server. Each ``mount`` is like a new one: it knows no key, and its token no other mount."""

    def __init__(self, folder: Path) -> None:
        self.opened: list[TransitProvider] = []
        self.folder = folder
        for _each in range(3):  # somebody else may take the port before the server does
            if self.start():
                return
        raise AssertionError((folder / "bao.log").read_text())

    def start(self) -> bool:
        """Start it on a port that is free now; whether it runs. What does not is ended."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url, log = f"http://127.0.0.1:{port}", self.folder / "bao.log"
        options = [f"-dev-listen-address=127.0.0.1:{port}", "-dev-root-token-id=root"]
        command = [str(COMMAND), "server", "-dev", "-dev-no-store-token", *options]
        with log.open("wb") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out, cwd=self.folder)
        deadline = time.monotonic() + 60
        while self.process.poll() is None and time.monotonic() < deadline:
            if found := re.search(r"Unseal Key: (\S+)", log.read_text()):
                self.unseal_key = found[1]
                return True
            time.sleep(0.05)
        self.end()
        return False

    def ask(self, method: str, path: str, **body: Any) -> Any:
        """A request of the administrator's."""
        headers = {"X-Vault-Token": "root"}
        answer = httpx.request(
            method, f"{self.url}/v1/{path}", json=body or None, headers=headers, timeout=10
        )
        answer.raise_for_status()
        return answer.json() if answer.content else {}

    def mount(self, policy: str = POLICY) -> tuple[str, Path]:
        """A fresh mount and the file with a token that may do what docs/operating.md says, no more."""
        name = f"transit-{uuid4().hex[:8]}"
        self.ask("POST", f"sys/mounts/{name}", type="transit")
        self.ask("POST", f"{name}/config/keys", disable_upsert=True)
        self.ask("PUT", f"sys/policies/acl/{name}", policy=policy.format(mount=name))
        made = self.ask("POST", "auth/token/create", policies=[name], no_default_policy=True)
        token = self.folder / f"{name}.token"
        token.touch(mode=0o600)
        token.write_text(made["auth"]["client_token"] + "\n")
        return f"{self.url}/{name}", token

    def provider(self, url: str = "", token: Path | None = None) -> TransitProvider:
        """A provider at this mount, or with a mount of its own."""
        where = (url, token) if token else self.mount()
        self.opened.append(TransitProvider(*where))
        return self.opened[-1]

    @contextmanager
    def sealed(self) -> Iterator[None]:
        """The server runs and gives nothing, as after each restart until somebody unseals it."""
        self.ask("PUT", "sys/seal")
        try:
            yield
        finally:
            self.ask("PUT", "sys/unseal", key=self.unseal_key)
            deadline = time.monotonic() + 60
            while httpx.get(f"{self.url}/v1/sys/health").status_code != 200:
                assert time.monotonic() < deadline, (self.folder / "bao.log").read_text()
                time.sleep(0.05)

    def end(self) -> None:
        """End the process, by force when it does not listen."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(20)

    def close(self) -> None:
        """End the server; what it held is gone."""
        for provider in self.opened:
            provider.client.close()
        self.end()
        shutil.rmtree(self.folder, ignore_errors=True)
