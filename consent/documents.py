"""Small documents about a purpose: PDF or plain text, two megabytes at most, kept in memory on the way.

They are about a plan, never about a person, so they are not sealed. The rest of the installation takes
no files (``emotion.intake.RefuseFiles``): a view that does says so with ``takes_documents``.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from io import BytesIO
from pathlib import PurePath
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadedfile import InMemoryUploadedFile, UploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from accounts.models import User
from consent.errors import InvalidDocument
from consent.models import Document, Purpose

MAX_BYTES = 2 * 1024 * 1024
MAX_BODY = MAX_BYTES + 512 * 1024  # the file and the form around it
PDF, TEXT = "application/pdf", "text/plain"

View = Callable[..., HttpResponseBase]


class InMemoryOnly(FileUploadHandler):
    """Keeps one small file in memory; of a larger one it keeps the size, so that it can be refused."""

    def handle_raw_input(self, input_data: Any, META: Any, content_length: int, *rest: Any) -> None:
        """Refuse a body that is far too large before it is read."""
        if content_length > MAX_BODY:
            raise RequestDataTooBig(f"Send at most {MAX_BODY} bytes; got {content_length}.")

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """A file part begins."""
        super().new_file(*args, **kwargs)
        self.content, self.received = BytesIO(), 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        """Some bytes of it; those beyond the limit are counted and dropped."""
        self.received += len(raw_data)
        if self.received <= MAX_BYTES:
            self.content.write(raw_data)
        return None

    def file_complete(self, file_size: int) -> UploadedFile[bytes]:
        """The file as the form sees it."""
        self.content.seek(0)
        return InMemoryUploadedFile(
            self.content,
            self.field_name,
            self.file_name or "",
            self.content_type,
            self.received,
            self.charset,
        )


def takes_documents(view: View) -> View:
    """Let this page take small files. Guards of who may come must stand above this one.

    Django's CSRF middleware would read the body, with the handlers of everywhere else, before any view
    is asked; so this view is left out there, and its token is asked for here.
    """
    protected = csrf_protect(view)

    @csrf_exempt
    @wraps(view)
    def taking(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        request.upload_handlers = [InMemoryOnly(request)]
        return protected(request, *args, **kwargs)

    return taking


@dataclass(frozen=True)
class Upload:
    """A document on its way in: the name it was sent under, what it is, and its bytes."""

    name: str
    media_type: str
    content: bytes


def read_upload(file: UploadedFile[bytes]) -> Upload:
    """Check an uploaded file by its bytes, not by what the browser says; raises InvalidDocument."""
    if (file.size or 0) > MAX_BYTES:
        most = MAX_BYTES // 1024**2
        raise InvalidDocument(f"A document has at most {most} MB; this one is larger.")
    content = file.read()
    if not content:
        raise InvalidDocument("The document is empty.")
    return Upload(clean_name(file.name or ""), media_type_of(content), content)


def media_type_of(content: bytes) -> str:
    """PDF by its first bytes, or text that is UTF-8 without control characters."""
    if content.startswith(b"%PDF-"):
        return PDF
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise InvalidDocument("Send a PDF or plain text in UTF-8; this is neither.") from None
    if any(unicodedata.category(c) == "Cc" and c not in "\t\n\r\f" for c in text):
        raise InvalidDocument("Send a PDF or plain text in UTF-8; this is neither.")
    return TEXT


def clean_name(name: str) -> str:
    """The last part of a file name, without control characters; "document" when nothing is left."""
    last = PurePath(name.replace("\\", "/")).name
    kept = "".join(c for c in last if unicodedata.category(c)[0] != "C").strip(" .")
    return kept[-120:] or "document"


def add_document(author: User, purpose: Purpose, upload: Upload) -> Document:
    """File a document, in the caller's transaction."""
    return Document.objects.create(
        purpose=purpose,
        name=upload.name,
        media_type=upload.media_type,
        size=len(upload.content),
        sha256=hashlib.sha256(upload.content).hexdigest(),
        content=upload.content,
        added_by=author,
        added_at=timezone.now(),
    )


def as_attachment(document: Document) -> HttpResponse:
    """The document to keep."""
    kind = f"{TEXT}; charset=utf-8" if document.media_type == TEXT else document.media_type
    return as_attached(bytes(document.content), kind, document.name)


def as_attached(content: bytes, kind: str, name: str) -> HttpResponse:
    """A file to keep: never shown in the page, and nothing in it runs."""
    response = HttpResponse(content, content_type=kind)
    response["Content-Disposition"] = content_disposition_header(True, name) or ""
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response
