"""An export in a bucket that speaks S3: ``s3://BUCKET/PREFIX``.

Credentials come from the environment alone, by the names that the tools of AWS use; nothing asks a metadata
service, and only the command that exports reads them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from audit_log.errors import ExportInvalid
from audit_log.headers import labels
from audit_log.tiles import Tile

if TYPE_CHECKING:
    from obstore.store import S3Config

AT_ONCE = 8  # objects on their way
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class Bucket:
    """A prefix in a bucket. One exporter at a time: two could put the older checkpoint last."""

    def __init__(self, address: str) -> None:
        """Raises ExportInvalid for an address or an environment that names no bucket."""
        parts = urlsplit(address)
        if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment:
            raise ExportInvalid(f"expected s3://BUCKET/PREFIX; got {address!r}")
        self.address = address.rstrip("/")
        endpoint = first("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
        config: S3Config = {
            "access_key_id": needed("AWS_ACCESS_KEY_ID"),
            "secret_access_key": needed("AWS_SECRET_ACCESS_KEY"),
            "region": first("AWS_REGION", "AWS_DEFAULT_REGION") or "us-east-1",
        }
        if endpoint:
            config["endpoint"] = endpoint
        if token := first("AWS_SESSION_TOKEN"):
            config["session_token"] = token
        self.store = S3Store(
            parts.netloc,
            prefix=parts.path.strip("/") or None,
            config=config,
            client_options={"allow_http": is_here(endpoint), "timeout": timedelta(seconds=60)},
            retry_config={"max_retries": 5, "retry_timeout": timedelta(seconds=60)},
        )

    def __str__(self) -> str:
        return self.address

    def read(self, path: str) -> bytes | None:
        """The object's bytes; None for none."""
        try:
            return bytes(obstore.get(self.store, path).bytes())
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise self.failed(path, error) from None

    def write(self, path: str, data: bytes) -> None:
        """Put an object, with the headers that the web server gives; it is durable when S3 has answered."""
        kind, cache = labels(path)
        attributes = {"Content-Type": kind, "Cache-Control": cache}
        try:
            obstore.put(self.store, path, data, attributes=attributes, use_multipart=False)
        except (BaseError, OSError) as error:
            raise self.failed(path, error) from None

    def write_all(self, files: Iterable[tuple[str, bytes]]) -> Iterator[None]:
        """Several at once; no more are made ready than are on their way."""
        waiting = iter(files)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            while batch := list(islice(waiting, AT_ONCE)):
                yield from pool.map(lambda each: self.write(*each), batch)

    def remove_partial(self, full: Iterable[Tile]) -> None:
        """Only of the first full tile of each level: no export has left parts of the later ones.

        Nothing else is looked for, because listing a bucket costs. What an export leaves that is killed
        just here stays, and C2SP ``tlog-tiles`` lets it.
        """
        first_of = {tile.level: tile for tile in sorted(full, key=lambda each: -each.number)}
        try:
            for tile in first_of.values():
                parts = obstore.list(self.store, prefix=f"{tile.path}.p/").collect()
                for part in parts:
                    obstore.delete(self.store, part["path"])
        except (BaseError, OSError) as error:
            raise self.failed("tile", error) from None

    def failed(self, path: str, error: Exception) -> ExportInvalid:
        """What stands in the way, on one line, without the server's page."""
        words = (str(error).splitlines() or [type(error).__name__])[0]
        return ExportInvalid(f"{self}/{path}: {words[:300]}")


def first(*names: str) -> str | None:
    """The first of these variables that says something."""
    return next((value for name in names if (value := os.environ.get(name))), None)


def needed(name: str) -> str:
    """A variable's value. Raises ExportInvalid without one."""
    value = first(name)
    if value is None:
        raise ExportInvalid(f"{name} is not set, so nothing opens the bucket")
    return value


def is_here(endpoint: str | None) -> bool:
    """Whether the server is on this machine, so that plain http may be spoken. Raises ExportInvalid."""
    parts = urlsplit(endpoint or "https://s3.amazonaws.com")
    here = parts.hostname in LOOPBACK
    if parts.scheme != "https" and not (parts.scheme == "http" and here):
        raise ExportInvalid(
            f"the endpoint must be https, or http on this machine; got {endpoint!r}"
        )
    return here
