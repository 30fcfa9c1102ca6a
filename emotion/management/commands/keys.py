"""``manage.py keys list | rotate | erasures``: epochs, their rotation, and T1 and T2 of each erasure.

Prints ids of epochs and erasures and numbers; no key, and nothing that says who somebody is.
"""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from consent.models import ErasureRequest
from vault.epochs import EPOCH_LIFE, ERASURE_WAIT, is_due, rotate
from vault.errors import VaultError
from vault.overview import epoch_numbers, provider_name

SHOWN = 100


def moment(at: datetime | None) -> str:
    """A time in UTC to the second, or a dash."""
    return f"{at:%Y-%m-%d %H:%M:%S}" if at else "-"


class Command(BaseCommand):
    """Show epochs, rotate now, or show when erasures became final."""

    help = "List key epochs, rotate them now, or show T1 and T2 of erasures."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One word says what to do."""
        what = parser.add_subparsers(dest="what", required=True, metavar="list|rotate|erasures")
        what.add_parser("list", help="epochs, with how many keys are wrapped under each")
        what.add_parser("rotate", help="open a new epoch, move all keys to it, destroy the old one")
        erasures = what.add_parser("erasures", help="T1 and T2 of erasures, newest first")
        erasures.add_argument("--number", type=int, default=SHOWN, help=f"how many ({SHOWN})")
        erasures.add_argument("--open", action="store_true", help="only those without T2")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it; what stands in the way is one line."""
        try:
            {"list": self.show, "rotate": self.rotate, "erasures": self.erasures}[options["what"]](
                options
            )
        except VaultError as error:
            raise CommandError(f"{error} ({error.code})") from None

    def show(self, options: dict[str, Any]) -> None:
        """The epochs, and when the next rotation comes."""
        self.stdout.write(f"epoch keys: {provider_name()}")
        self.stdout.write(
            f"{'epoch':36}  {'state':10}  {'opened (UTC)':19}  {'destroyed (UTC)':19}  living  dead"
        )
        for row in epoch_numbers():
            self.stdout.write(
                f"{row.id}  {row.state:10}  {moment(row.opened_at):19}  "
                f"{moment(row.destroyed_at):19}  {row.living:6}  {row.dead:4}"
            )
        hours, days = int(ERASURE_WAIT.total_seconds() // 3600), EPOCH_LIFE.days
        said = "due: the keeper does it" if is_due() else f"after {days} days"
        self.stdout.write(
            f"next rotation: {said}; {hours} hours after an epoch opened if keys died in it"
        )

    def rotate(self, options: dict[str, Any]) -> None:
        """Every step of a rotation. Killed anywhere, the next call or the keeper finishes it."""
        before = {row.id for row in epoch_numbers() if row.destroyed_at}

        def progress(moved: int, total: int) -> None:
            self.stdout.write(f"wrapped under the new epoch: {moved:,} of {total:,} keys")

        new = rotate(progress=progress)
        self.stdout.write(f"current epoch: {new.id}")
        for row in epoch_numbers():
            if row.destroyed_at and row.id not in before:
                self.stdout.write(
                    f"destroyed: {row.id}, with {row.dead:,} keys that had died in it"
                )

    def erasures(self, options: dict[str, Any]) -> None:
        """T1, when live systems stopped opening, and T2, since when no copy can be opened."""
        rows = ErasureRequest.objects.order_by("-requested_at", "-id")
        if options["open"]:
            rows = rows.filter(final_at=None)
        self.stdout.write(
            f"{'erasure':36}  {'cause':14}  keys  {'T1 (UTC)':19}  {'keys destroyed':19}  T2"
        )
        for row in rows[: max(options["number"], 0)]:
            self.stdout.write(
                f"{UUID(str(row.id))}  {row.cause:14}  {len(row.key_ids):4}  "
                f"{moment(row.requested_at)}  {moment(row.keys_destroyed_at):19}  "
                f"{moment(row.final_at)}"
            )
        left = ErasureRequest.objects.filter(final_at=None).count()
        self.stdout.write(f"{rows.count()} erasures, {left} without T2 yet")
