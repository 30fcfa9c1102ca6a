"""What sealing and rotating cost: ``python -m benchmarks.vault [keys]``.

In one run and one process, in turns: records of 2 KB (``vault.aead``: derived key, nonce, commitment and
AAD) against ``AESGCM`` with a ready key; blobs of 100 MB (``vault.blobs``, with fsync, and read twice as
always) against ``cryptography.cobblestone`` and ``AESGCM`` in memory. Then a rotation of ``keys`` data
keys (a million unless said otherwise) in a keystore made for it, with files and SQLite, against the time
that the same keys take to be opened and sealed anew without a database.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

ROOT = Path(__file__).resolve().parent.parent
RECORD = 2048  # bytes
FILM = 100 * 1000 * 1000
KEYS = 1_000_000
ROUNDS = 9
INNER = "BENCH_VAULT_KEYSTORE"


def rate(do: Callable[[], object], number: int) -> float:
    """How often per second, over ``number`` times."""
    begun = time.perf_counter()
    for _ in range(number):
        do()
    return number / (time.perf_counter() - begun)


def in_turns(**ways: Callable[[], float]) -> dict[str, float]:
    """The median of each way, every round asking all of them."""
    seen: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, measure in ways.items():
            seen[name].append(measure())
    return {name: statistics.median(found) for name, found in seen.items()}


def records() -> None:
    """Records per second: to seal, and to seal and open."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from vault.aead import Label, seal, unseal

    key, key_id, aad, plain = os.urandom(32), uuid4(), os.urandom(140), os.urandom(RECORD)
    cipher, sealed = AESGCM(key), seal(Label.RECORD, key, key_id, aad, plain)
    bare = cipher.encrypt(bytes(12), plain, aad)

    def bare_both() -> None:
        cipher.decrypt(bytes(12), cipher.encrypt(bytes(12), plain, aad), aad)

    def both() -> None:
        unseal(Label.RECORD, key, key_id, aad, seal(Label.RECORD, key, key_id, aad, plain))

    found = in_turns(
        bare_seal=lambda: rate(lambda: cipher.encrypt(bytes(12), plain, aad), 20_000),
        seal=lambda: rate(lambda: seal(Label.RECORD, key, key_id, aad, plain), 5_000),
        bare_open=lambda: rate(lambda: cipher.decrypt(bytes(12), bare, aad), 20_000),
        open=lambda: rate(lambda: unseal(Label.RECORD, key, key_id, aad, sealed), 5_000),
        bare_both=lambda: rate(bare_both, 10_000),
        both=lambda: rate(both, 5_000),
    )
    for what, peer in (("seal", "bare_seal"), ("open", "bare_open"), ("both", "bare_both")):
        print(
            f"record 2 KB  {what:5} {found[what]:9,.0f}/s   bare AES-256-GCM {found[peer]:9,.0f}/s   "
            f"ratio {found[what] / found[peer]:.2f}",
            flush=True,
        )


class Film:
    """A film of 100 MB, and the ways to write and read it that are compared."""

    def __init__(self, folder: Path) -> None:
        self.key, self.context = os.urandom(32), os.urandom(140)
        self.piece, self.pieces = os.urandom(1000 * 1000), FILM // 1000 // 1000
        self.sealed, self.plain = folder / "film", folder / "plain"

    def seal(self) -> None:
        """As the vault does, through to the disk."""
        from vault.blobs import BlobWriter

        self.sealed.unlink(missing_ok=True)
        with BlobWriter(self.key, self.context, self.sealed) as writer:
            for _ in range(self.pieces):
                writer.write(self.piece)
            writer.commit()

    def open(self) -> None:
        """As the vault does: verified to the end, then read."""
        from vault.blobs import BlobReader

        buffer = bytearray(1 << 20)
        with BlobReader(self.key, self.context, self.sealed) as reader:
            while reader.readinto(buffer):
                pass

    def peer_seal(self) -> None:
        """Cobblestone in memory."""
        from cryptography.cobblestone import Cobblestone256Encryptor

        from vault.blobs import input_key

        encryptor = Cobblestone256Encryptor(input_key(self.key), self.context)
        for _ in range(self.pieces):
            encryptor.update(self.piece)
        encryptor.finalize()

    def peer_open(self) -> None:
        """Cobblestone once, from the file."""
        from cryptography.cobblestone import Cobblestone256Decryptor

        from vault.blobs import input_key

        decryptor = Cobblestone256Decryptor(input_key(self.key), self.context)
        with self.sealed.open("rb") as file:
            while sealed := file.read(1 << 20):
                decryptor.update(sealed)
        decryptor.finalize()

    def disk(self) -> None:
        """Plain bytes through to the disk."""
        with self.plain.open("wb") as file:
            for _ in range(self.pieces):
                file.write(self.piece)
            file.flush()
            os.fsync(file.fileno())

    def bare(self) -> None:
        """AES-256-GCM by the megabyte, in memory."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        cipher = AESGCM(self.key)
        for number in range(self.pieces):
            cipher.encrypt(number.to_bytes(12, "big"), self.piece, None)


def blobs() -> None:
    """Gigabytes per second of a film, written through to the disk and read back verified."""
    with tempfile.TemporaryDirectory(prefix="consentry-bench-") as folder:
        film = Film(Path(folder))
        film.seal()

        def gigabytes(do: Callable[[], None]) -> Callable[[], float]:
            return lambda: rate(do, 1) * FILM / 1e9

        ways = ("seal", "peer_seal", "disk", "bare", "open", "peer_open")
        found = in_turns(**{way: gigabytes(getattr(film, way)) for way in ways})
    print(
        f"blob 100 MB  seal  {found['seal']:.2f} GB/s, fsync included   cobblestone in memory "
        f"{found['peer_seal']:.2f}   ratio {found['seal'] / found['peer_seal']:.2f}   plain bytes to "
        f"this disk {found['disk']:.2f}   AES-256-GCM by the megabyte {found['bare']:.2f}"
    )
    print(
        f"blob 100 MB  open  {found['open']:.2f} GB/s, verified and read   cobblestone, once "
        f"{found['peer_open']:.2f}   ratio {found['open'] / found['peer_open']:.2f}",
        flush=True,
    )


def rotation(number: int) -> None:
    """Runs in a process of its own, on an installation made for it."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import transaction
    from uuid_utils.compat import uuid7

    from audit_log.promises import ensure_promise_key
    from audit_log.signing import ensure_key
    from vault import keys
    from vault.epochs import current, rotate
    from vault.models import DataKey
    from vault.providers import configured
    from vault.setup import ensure_root

    call_command("migrate", database="default", verbosity=0)
    call_command("migrate", database="keystore", verbosity=0)
    ensure_root()
    ensure_key()
    ensure_promise_key()
    epoch, source = current().id, configured()
    begun = time.perf_counter()
    for start in range(0, number, 10_000):
        rows = []
        for _ in range(min(10_000, number - start)):
            row = DataKey(
                subject_id=uuid7(), purpose_id=uuid7(), category="expression", epoch_id=epoch
            )
            row.wrapped = source.wrap(epoch, os.urandom(32), keys.wrap_aad(row, epoch))
            rows.append(row)
        with transaction.atomic(using="keystore"):
            DataKey.objects.bulk_create(rows, batch_size=1000)
    print(
        f"rotation     {number:,} data keys made in {time.perf_counter() - begun:.0f} s", flush=True
    )

    sample = [
        (bytes(r.wrapped or b""), keys.wrap_aad(r, epoch)) for r in DataKey.objects.all()[:5000]
    ]
    begun = time.perf_counter()
    source.rewrap(epoch, epoch, [(wrapped, aad, aad) for wrapped, aad in sample])
    floor = (time.perf_counter() - begun) / len(sample) * number

    told = [time.perf_counter()]

    def progress(moved: int, total: int) -> None:
        if time.perf_counter() - told[-1] > 10 or moved == total:
            told.append(time.perf_counter())
            print(f"rotation     {moved:,} of {total:,}, {told[-1] - told[0]:.0f} s", flush=True)

    begun = time.perf_counter()
    rotate(progress=progress)
    took = time.perf_counter() - begun
    print(
        f"rotation     {number:,} keys in {took:.0f} s, {number / took:,.0f}/s   cryptography alone "
        f"{floor:.0f} s   ratio {took / floor:.1f}",
        flush=True,
    )


def main() -> int:
    """All three; the rotation in a child with a keystore of its own, which is removed."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else KEYS
    if os.environ.get(INNER):
        rotation(number)
        return 0
    records()
    blobs()
    with tempfile.TemporaryDirectory(prefix="consentry-bench-") as folder:
        place = {
            INNER: "1",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "SECRET_KEY": os.urandom(32).hex(),
            "CONSENTRY_VAR": f"{folder}/var",
            "CONSENTRY_KEYS": f"{folder}/keys",
            "DATABASE_URL": f"sqlite:///{folder}/main.sqlite3",
            "KEYSTORE_URL": f"sqlite:///{folder}/keystore.sqlite3",
        }
        for name in ("main", "keystore"):
            Path(folder, f"{name}.sqlite3").touch(0o600)
        command = [sys.executable, "-m", "benchmarks.vault", str(number)]
        return subprocess.run(command, cwd=ROOT, env=os.environ | place).returncode


if __name__ == "__main__":
    sys.exit(main())
