"""``manage.py models list | add | evaluate | activate | retire``: the packs that read expressions."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.actors import SYSTEM_SETUP
from emotion.active_pack import chosen, installed
from emotion.errors import PackRefused
from emotion.inference.expressions import expression_pack
from emotion.inference.models import ModelIntegrityError
from emotion.inference.pack_reports import against_use
from emotion.pack_choice import activate, find_pack, retire
from emotion.pack_intake import add, evaluate


class Command(BaseCommand):
    """Show the packs, take one in, measure it, use it, or go back to the product's own."""

    help = "List packs that read expressions, take one in, evaluate it, use it, or go back."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One word says what to do."""
        what = parser.add_subparsers(
            dest="what", required=True, metavar="list|add|evaluate|activate|retire"
        )
        what.add_parser("list", help="the packs that are here, and which one is used")
        new = what.add_parser("add", help="check a folder and take a copy of it in")
        new.add_argument("folder", type=Path)
        measured = what.add_parser("evaluate", help="measure a pack on labelled faces")
        measured.add_argument("pack")
        measured.add_argument("data", type=Path, help="an npz of crops, or a folder of photographs")
        measured.add_argument("--called", required=True, help="what the data are, in a few words")
        chosen = what.add_parser("activate", help="let a pack read expressions from now on")
        chosen.add_argument("pack")
        what.add_parser("retire", help="go back to the product's own pack")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it; what stands in the way is one line each."""
        try:
            getattr(self, f"do_{options['what']}")(options)
        except PackRefused as refused:
            raise CommandError("\n".join(refused.problems)) from None
        except ModelIntegrityError as error:
            raise CommandError(str(error)) from None

    def do_list(self, options: dict[str, Any]) -> None:
        """A line for each pack."""
        used = chosen()
        for folder in installed():
            try:
                pack = expression_pack(folder)
                problems = against_use(folder)
                said = (
                    f"{pack.version:10}  {pack.digest[:12]}  {'; '.join(problems) or 'evaluated'}"
                )
            except ModelIntegrityError as error:
                said = str(error)
            self.stdout.write(
                f"{'used' if folder.name == used else '':4}  {folder.name:32}  {said}"
            )

    def do_add(self, options: dict[str, Any]) -> None:
        """Take a pack in."""
        folder = add(options["folder"])
        self.stdout.write(f"{folder.name} is here. Next: manage.py models evaluate {folder.name} …")

    def do_evaluate(self, options: dict[str, Any]) -> None:
        """Measure it, and say the main figures."""
        found = evaluate(options["pack"], options["data"], options["called"])
        for name in ("accuracy", "balanced_accuracy", "calibration_error"):
            self.line(name.replace("_", " "), found[name])
        for label, figure in found["recall"].items():
            self.line(f"recall of {label}", figure)
        for share, figure in found["selective_accuracy"].items():
            self.line(f"accuracy on the surest {share} %", figure)
        self.line("sets hold the truth", found["sets"]["coverage"])
        self.line("says something", found["sets"]["named"])
        self.line("right then", found["sets"]["right_when_named"])
        if found["not_read"]:
            self.stdout.write(f"not read: {found['not_read']}")
        for question, groups in found["groups"].items():
            for measured in groups.values():
                self.stdout.write(f"{question}: {measured['means']}")
        for sentence in (found["intervals_note"], found["groups_note"], *found["suspicious"]):
            self.stdout.write(sentence)

    def line(self, name: str, figure: list[float]) -> None:
        """A figure with its interval."""
        value, low, high = figure
        self.stdout.write(f"{name:28} {value:.3f}  ({low:.3f} to {high:.3f})")

    def do_activate(self, options: dict[str, Any]) -> None:
        """Use it from the next analysis on."""
        activate(SYSTEM_SETUP, options["pack"])
        pack = expression_pack(find_pack(options["pack"]))
        self.stdout.write(f"{pack.title} reads expressions from now on.")

    def do_retire(self, options: dict[str, Any]) -> None:
        """Go back."""
        was = retire(SYSTEM_SETUP)
        said = f"{was} is not used any more." if was else "The product's own pack was used already."
        self.stdout.write(said)
