"""A tus client that nobody here wrote (tuspy), over a real connection."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from django.urls import reverse
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError

from emotion.models import Recording, Upload
from tests.browser.server import serving
from tests.cast import PHOTO, Study, consenting, open_study
from tests.emotion.stored import stored_bytes

pytestmark = pytest.mark.usefixtures("fresh_db")
BODY = PHOTO.read_bytes()


@pytest.fixture
def study(settings: Any) -> Study:
    settings.UPLOAD_PART_BYTES = 20_000
    made = open_study()
    consenting(made)
    return made


def client(study: Study, site: str) -> TusClient:
    address = site + reverse("api_uploads")
    return TusClient(address, headers={"Authorization": f"Bearer {study.key()}"})


def about(study: Study) -> dict[str, str]:
    return {"subject": "P-001", "purpose": str(study.purpose.id), "filename": "Ann.jpg"}


def test_in_chunks_with_checksums(study: Study) -> None:
    with serving() as site:
        uploader = client(study, site).uploader(
            file_stream=BytesIO(BODY),
            chunk_size=30_000,
            metadata=about(study),
            upload_checksum=True,
        )
        uploader.upload()
    assert uploader.offset == len(BODY)
    assert stored_bytes(Recording.objects.get()) == BODY


def test_another_process_takes_it_up(study: Study) -> None:
    """The first one stops after two chunks; the second has nothing but the address."""
    with serving() as site:
        speaker = client(study, site)
        first = speaker.uploader(
            file_stream=BytesIO(BODY), chunk_size=25_000, metadata=about(study)
        )
        first.upload_chunk()
        first.upload_chunk()
        second = speaker.uploader(file_stream=BytesIO(BODY), chunk_size=10**9, url=first.url)
        assert second.offset == 50_000
        second.upload()
    assert stored_bytes(Recording.objects.get()) == BODY


def test_without_consent_it_is_told_so(study: Study) -> None:
    with serving() as site:
        fields = about(study) | {"subject": "P-404"}
        uploader = client(study, site).uploader(file_stream=BytesIO(BODY), metadata=fields)
        with pytest.raises(TusCommunicationError) as told:
            uploader.upload()
    assert told.value.status_code == 404
    assert not Upload.objects.exists()
