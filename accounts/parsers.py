"""Reading a JSON body: UTF-8, of bounded size, and whatever is wrong with it is the sender's to hear."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any, NoReturn

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser


class BodyTooLarge(APIException):
    """More bytes than any body of this API needs."""

    status_code = 413
    default_code = "body-too-large"
    default_detail = _("This body is larger than any that is expected here.")


def no_number(_name: str) -> NoReturn:
    """NaN and Infinity are no JSON, whatever Python thinks."""
    raise ValueError


class JsonParser(BaseParser):
    """JSON is UTF-8 (RFC 8259): a charset that the sender names is not asked.

    DRF's own parser would read a body of any size, decode it by any codec that Python knows, and fall over
    one that is nested ten thousand times.
    """

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """The value; raises ParseError (400) or BodyTooLarge (413)."""
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(most + 1)
        if len(body) > most:
            raise BodyTooLarge
        try:
            return json.loads(body.decode(), parse_constant=no_number)
        except (ValueError, RecursionError):
            raise ParseError(_("The body must be JSON in UTF-8; something else came.")) from None
