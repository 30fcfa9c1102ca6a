"""The model files are the ones that the manifest describes, and nothing else is loaded."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from emotion.inference.models import (
    FOLDER,
    ModelIntegrityError,
    checked_bytes,
    manifest,
    model_bytes,
    packs,
    verify_models,
)
from emotion.inference.sessions import MODELS, session, warm_up


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A folder of models that a test may spoil."""
    return Path(shutil.copytree(FOLDER, tmp_path / "models"))


def test_files_are_as_the_manifest_says() -> None:
    verify_models()
    for name, entry in manifest().items():
        body = (FOLDER / entry["pack"] / name).read_bytes()
        assert hashlib.sha256(body).hexdigest() == entry["sha256"]


def test_a_pack_holds_what_its_manifest_lists_and_nothing_else() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(packs()) | {"measurements.json"}
    for name, pack in packs().items():
        listed = {entry["file"] for entry in pack["files"]} | {"manifest.json"} | set(pack["also"])
        files = [path for path in (FOLDER / name).rglob("*") if path.is_file()]
        found = {str(path.relative_to(FOLDER / name)) for path in files}
        assert found - {"evaluation.json"} == listed
        assert "card.md" in listed
        licences = {text for entry in pack["files"] for text in entry["licence_files"]}
        assert {path.name for path in (FOLDER / name / "licences").iterdir()} == licences


def test_a_changed_card_or_calibration_is_refused(copied: Path) -> None:
    for name in ("card.md", "calibration.json"):
        file = copied / "expression-mean-of-three" / name
        before = file.read_text()
        file.write_text(before + " ")
        with pytest.raises(ModelIntegrityError, match=rf"{name}: expected SHA-256"):
            verify_models(copied)
        file.write_text(before)
    verify_models(copied)


def test_a_file_outside_its_pack_is_refused(copied: Path) -> None:
    for name in ("../faces/face_detector.onnx", str(copied / "faces" / "face_detector.onnx")):
        sha256 = manifest()["face_detector.onnx"]["sha256"]
        with pytest.raises(ModelIntegrityError, match="not inside"):
            checked_bytes(copied / "blendshapes", name, sha256)


def test_every_entry_names_source_licence_and_consent() -> None:
    for entry in manifest().values():
        assert entry["licence"] in {"MIT", "Apache-2.0"}
        for licence in entry["licence_files"]:
            text = (FOLDER / entry["pack"] / "licences" / licence).read_text()
            assert len(text) > 500
        assert all(len(checksum) == 64 for checksum in entry["sources"].values())
        assert entry["training_data"]
        assert entry["training_consent"].startswith(("none", "unknown"))


def test_one_changed_byte_is_refused(copied: Path) -> None:
    verify_models(copied)
    spoiled = copied / manifest()["expression_fer.onnx"]["pack"] / "expression_fer.onnx"
    body = bytearray(spoiled.read_bytes())
    body[len(body) // 2] ^= 1
    spoiled.write_bytes(body)
    with pytest.raises(ModelIntegrityError, match=r"expression_fer\.onnx: expected SHA-256"):
        model_bytes("expression_fer.onnx", copied)
    with pytest.raises(ModelIntegrityError):
        verify_models(copied)


def test_missing_or_unlisted_file_is_refused(copied: Path) -> None:
    (copied / "faces" / "face_detector.onnx").unlink()
    with pytest.raises(ModelIntegrityError, match="face_detector"):
        model_bytes("face_detector.onnx", copied)
    (copied / "other.onnx").write_bytes(b"x")
    with pytest.raises(ModelIntegrityError, match="in no manifest"):
        model_bytes("other.onnx", copied)
    (copied / "faces" / "manifest.json").write_text("{")
    manifest.cache_clear()
    packs.cache_clear()
    with pytest.raises(ModelIntegrityError, match="manifest"):
        verify_models(copied)


def test_a_pack_under_another_name_and_a_name_twice_are_refused(copied: Path) -> None:
    shutil.copytree(copied / "blendshapes", copied / "copy")
    with pytest.raises(ModelIntegrityError, match=r"copy/manifest\.json"):
        verify_models(copied)
    packs.cache_clear()
    written = copied / "copy" / "manifest.json"
    written.write_text(written.read_text().replace('"pack": "blendshapes"', '"pack": "copy"'))
    with pytest.raises(ModelIntegrityError, match="two packs"):
        verify_models(copied)


def test_sessions_are_made_once_with_one_thread() -> None:
    warm_up()
    for name in MODELS:
        assert session(name) is session(name)
        assert session(name).get_session_options().intra_op_num_threads == 1
        assert session(name).get_providers() == ["CPUExecutionProvider"]
