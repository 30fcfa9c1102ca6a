"""Reading an upload as a stream, so that media never lie on disk in plain.

Django's own upload handlers spool large files to a temporary folder. Here the body is parsed as it
arrives and handed on in chunks; ``subject`` and ``purpose`` must come before ``file``, because the gate
is asked before the first byte of a face is taken. ``RefuseFiles`` stands in for Django's handlers
everywhere else: a file that arrives at any other page is refused unread. No refusal repeats what was
sent: a field's name or a file's name could name a person.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from django.core.exceptions import BadRequest
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest
from multipart import MultipartError, PushMultipartParser, parse_options_header

from emotion.errors import UploadInvalid
from emotion.limits import require_room
from emotion.models import Analysis
from emotion.uploads import Receiving

CHUNK = 64 * 1024
FIELD_MAX = 1024
MARKERS_MAX = 64 * 1024
DRAIN_MAX = 32 * 1024 * 1024


class RefuseFiles(FileUploadHandler):
    """Refuse any file sent to a page that takes none, before its first byte is kept."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """A file part begins: stop here with 400."""
        raise BadRequest("This page takes no files.")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        """Never reached: ``new_file`` refuses."""
        raise BadRequest("This page takes no files.")

    def file_complete(self, file_size: int) -> None:
        """Never reached: ``new_file`` refuses."""
        raise BadRequest("This page takes no files.")


Begin = Callable[[dict[str, str]], Receiving]
"""Given the fields that came before the file, ask the gate and open the sealed blob."""


class Intake:
    """One multipart body on its way in: fields, then exactly one file."""

    def __init__(self, begin: Begin) -> None:
        self.begin = begin
        self.fields: dict[str, str] = {}
        self.receiving: Receiving | None = None
        self.name = ""
        self.value = b""
        self.in_file = False

    def start_part(self, name: str, filename: str | None) -> None:
        """A part begins: a field, or the file."""
        self.name, self.value = name, b""
        self.in_file = name == "file"
        if self.receiving is not None:
            raise UploadInvalid(
                "All fields must come before 'file', and one file is taken; more came after it."
            )
        if filename is not None and not self.in_file:
            raise UploadInvalid("The file must be sent in the part 'file'; it came in another.")
        if self.in_file:
            self.receiving = self.begin(self.fields)

    def data(self, chunk: bytes) -> None:
        """Bytes of the current part."""
        if self.in_file and self.receiving is not None:
            self.receiving.write(chunk)
            return
        self.value = longer(self.name, self.value, chunk)

    def end_part(self) -> None:
        """A part is complete."""
        if not self.in_file:
            self.fields[self.name] = text_of(self.value)
        self.in_file = False


class Parts(Protocol):
    """What takes a multipart body apart: ``Intake``, and a batch of many."""

    def start_part(self, name: str, filename: str | None) -> None:
        """A part begins: a field, or a file."""

    def data(self, chunk: bytes) -> None:
        """Bytes of the current part."""

    def end_part(self) -> None:
        """A part is complete."""


def hand_on(event: Any, parts: Parts) -> None:
    """The next thing that the parser has found."""
    if event is None:
        parts.end_part()
    elif isinstance(event, bytes | bytearray):
        parts.data(bytes(event))
    else:
        parts.start_part(event.name or "", event.filename)


def longer(name: str, value: bytes, chunk: bytes) -> bytes:
    """What has come of a field's value by now; raises UploadInvalid when it is too long."""
    most = MARKERS_MAX if name == "markers" else FIELD_MAX
    if len(value) + len(chunk) > most:
        raise UploadInvalid(f"This field may have at most {most} bytes; more came.")
    return value + chunk


def text_of(value: bytes) -> str:
    """The value of a field; raises UploadInvalid for what is no text."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise UploadInvalid("Every field must be UTF-8; one is not.") from None


def misshapen(error: MultipartError) -> UploadInvalid:
    """What is told of a body that is not well-formed."""
    # The first argument is the parser's own sentence; a second one would hold what was sent.
    said = error.args[0] if error.args else "it ends too early"
    return UploadInvalid(f"This is not a well-formed multipart body: {said}.")


def boundary_of(request: HttpRequest) -> str:
    """The boundary of a multipart request; raises UploadInvalid for anything else."""
    kind, options = parse_options_header(request.headers.get("Content-Type", ""))
    if kind != "multipart/form-data" or not options.get("boundary"):
        raise UploadInvalid("Send multipart/form-data with a boundary; something else came.")
    return str(options["boundary"])


def receive_upload(request: HttpRequest, begin: Begin) -> Analysis:
    """Read one upload to its end.

    Raises QueueFull before anything of it is read, UploadInvalid for a body of the wrong shape, and
    whatever ``begin`` and the flow raise; then nothing is left behind, and what remains of a body that
    was begun has been read away so that the answer arrives.
    """
    require_room()
    intake = Intake(begin)
    try:
        with PushMultipartParser(boundary_of(request), max_segment_count=12) as parser:
            while chunk := request.read(CHUNK):
                for event in parser.parse(chunk):
                    hand_on(event, intake)
        if intake.receiving is None:
            raise UploadInvalid("The part 'file' is missing.")
        return intake.receiving.finish()
    except MultipartError as error:
        raise misshapen(error) from None
    finally:
        if intake.receiving is not None:
            intake.receiving.close()
        drain(request)


def drain(request: HttpRequest) -> None:
    """Read away what is left of a refused body, up to a limit; else the client sees a reset."""
    left = DRAIN_MAX
    while left > 0 and (chunk := request.read(CHUNK)):
        left -= len(chunk)
