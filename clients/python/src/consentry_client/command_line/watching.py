"""``consentry watch``: wait until the analyses under way have ended."""

from __future__ import annotations

import argparse
import time

from consentry_client.clients import Client
from consentry_client.command_line.credentials import open_client
from consentry_client.command_line.lines import Outcomes
from consentry_client.command_line.outcomes import SOME_FAILED
from consentry_client.command_line.progress import Bar
from consentry_client.errors import GaveUpWaiting
from consentry_client.models import Analysis


def watch(given: argparse.Namespace) -> int:
    """One line for each analysis that ends; those of other programs with this purpose too."""
    outcomes = Outcomes(frozenset({"refused", "failed"}))
    end = time.monotonic() + given.timeout
    with open_client(given.purpose) as (client, _purpose):
        try:
            while waiting := under_way(client):
                for each in waiting:
                    outcomes.add(*ended(client, each, end - time.monotonic()))
        except GaveUpWaiting:
            left = len(under_way(client))
            outcomes.end()
            print(f"{left} still under way after {given.timeout:g} seconds; run the command again")
            return SOME_FAILED
    return outcomes.end()


def under_way(client: Client) -> list[Analysis]:
    """The analyses that wait or run, each once.

    Those that wait are asked for first: one that is taken up in between is then in both lists, and not
    in neither.
    """
    found = [*client.analyses(state="queued"), *client.analyses(state="running")]
    return list({each.id: each for each in found}.values())


def ended(client: Client, analysis: Analysis, timeout: float) -> tuple[str, str, str]:
    """Wait for one of them: its state, its id, and what there is to say."""
    bar = Bar(100, "%")
    found = client.wait_for_analysis(
        analysis.id,
        timeout=max(0.0, timeout),
        progress=lambda now: bar.draw(round(now.progress * 100), always=True),
    )
    bar.clear()
    return found.state, f"analysis {found.id}", found.media_code or found.reason
