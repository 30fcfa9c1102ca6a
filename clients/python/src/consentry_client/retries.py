"""Asking again: when that is safe, and how long to wait before.

What a request may do twice (``Request.safe_to_repeat``) is asked again when no answer came and on 429, 502,
503 and 504. Any other only where the server certainly did nothing: on 429, and when not even the
connection stood.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from consentry_client.answers import error_in
from consentry_client.errors import ApiError, ConnectionFailed, UnexpectedAnswer
from consentry_client.flow import Answer, Carried, Failure, Pause, Request

TOO_MANY = 429
PASSING = frozenset({TOO_MANY, 502, 503, 504})
IN_PROGRESS = "idempotency-in-progress"
"""The same upload is being received: ours, whose connection broke before the server noticed."""


@dataclass(frozen=True)
class Retries:
    """How often and how long.

    Fields:
        tries: of one request, the first included.
        first_pause: seconds before the second try; each further pause is at most twice as long.
        longest_pause: seconds; when the server asks for more patience than this, its answer is raised.
    """

    tries: int = 5
    first_pause: float = 0.5
    longest_pause: float = 60.0
    chance: Callable[[], float] = random.random

    def pause(self, number: int, asked: float | None) -> float | None:
        """Seconds before the try after the ``number``-th; None to give up.

        Between half and all of what is due, so that many clients do not come back at one moment.
        """
        if number >= self.tries or (asked is not None and asked > self.longest_pause):
            return None
        own = min(self.longest_pause, self.first_pause * 2 ** (number - 1))
        return float((asked or 0.0) + own * (0.5 + self.chance() / 2))


def answered(request: Request, retries: Retries) -> Carried[Answer]:
    """The good answer to a request; raises ApiError or ConnectionFailed when none came.

    Raises UnexpectedAnswer for a redirect, which the API never gives: the key goes nowhere but where it was
    told to go, and what a redirect carries is no answer.
    """
    number = 1
    while True:
        failure: ApiError | ConnectionFailed
        try:
            answer: Answer = yield request
        except ConnectionFailed as error:
            failure, again = error, request.safe_to_repeat or error.nothing_sent
        else:
            if answer.status < 300:
                return answer
            if answer.status < 400:
                raise UnexpectedAnswer(f"the answer is a redirect ({answer.status})")
            failure = error_in(answer)
            again = worth_repeating(request, failure)
        if not again:
            raise failure
        yield from waited(Failure(failure, number), retries)
        number += 1


def waited(failed: Failure, retries: Retries) -> Carried[None]:
    """The pause before the next try; raises the error when there is to be none."""
    asked = failed.error.retry_after if isinstance(failed.error, ApiError) else None
    pause = retries.pause(failed.number, asked)
    if pause is None:
        raise failed.error
    yield Pause(pause)


def worth_repeating(request: Request, error: ApiError) -> bool:
    """Whether the refusal may be another one next time, and asking again can do no harm."""
    if error.status == TOO_MANY:
        return True
    return request.safe_to_repeat and (error.status in PASSING or error.code == IN_PROGRESS)
