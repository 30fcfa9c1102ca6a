"""Where models are computed is chosen, and no other numbers come out: else nothing is read."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import numpy as np
import onnxruntime
import pytest

from emotion.faults import in_a_line, is_environment
from emotion.inference import sessions
from emotion.inference.models import ExecutionProviderUnusable, model_bytes
from emotion.inference.photos import analyse_photo
from emotion.inference.readings import IN_A_PHOTOGRAPH
from emotion.inference.sessions import CPU, MODELS, PROVIDERS, compute_on, session
from emotion.wording import measured_by, model_facts
from tests.emotion.inference.photographs import pixels
from tests.processes import ROOT, WORKER, environment

OTHER = "azure"
"""ONNX Runtime brings it along with the CPU's: a session there is another one, of the same numbers."""


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Sessions are made on another provider, until the test ends."""
    monkeypatch.setitem(PROVIDERS, OTHER, ("AzureExecutionProvider", {}))
    compute_on(OTHER)
    yield
    compute_on(CPU)


def missing() -> str:
    """One that can be chosen and is not installed here."""
    had = onnxruntime.get_available_providers()
    return next(name for name, (theirs, _told) in PROVIDERS.items() if theirs not in had)


def test_another_provider_reads_the_same_and_is_named(elsewhere: None) -> None:
    there = analyse_photo(pixels(), IN_A_PHOTOGRAPH).parts()
    assert [session(name).get_providers()[0] for name in MODELS] == ["AzureExecutionProvider"] * 6
    compute_on(CPU)
    here = analyse_photo(pixels(), IN_A_PHOTOGRAPH).parts()
    assert ("ONNX Runtime", f"{onnxruntime.__version__}, azure") in measured_by(there["summary"])
    assert model_facts(there["summary"]) == model_facts(here["summary"]), "no other model for that"
    assert there["summary"].pop("engine") == {"ONNX Runtime": f"{onnxruntime.__version__}, azure"}
    assert here["summary"].pop("engine") == {"ONNX Runtime": f"{onnxruntime.__version__}, cpu"}
    assert there == here


def test_other_numbers_are_refused_and_nothing_is_read(
    elsewhere: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "TOLERANCE", -1.0)
    with pytest.raises(
        ExecutionProviderUnusable, match=r"other numbers than the CPU, by 0\.0e\+00"
    ):
        analyse_photo(pixels(), IN_A_PHOTOGRAPH)
    monkeypatch.setattr(sessions, "TOLERANCE", 1e-3)
    assert analyse_photo(pixels(), IN_A_PHOTOGRAPH).status == "read", "a refused one is asked again"


def test_a_difference_is_seen_and_so_is_no_number() -> None:
    name = "face_detector.onnx"
    honest = sessions.loaded(model_bytes(name), name, CPU)

    class Off:
        """The same, with one number among thousands off by so much of the largest."""

        get_inputs = honest.get_inputs

        def __init__(self, by: float) -> None:
            self.by = by

        def run(self, _names: None, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
            found = honest.run(None, feed)
            found[-1].flat[7] += self.by * np.abs(found[-1]).max()
            return found

    assert sessions.largest_difference(honest, honest) == 0
    assert sessions.largest_difference(Off(0.002), honest) == pytest.approx(0.002, rel=0.01)
    assert not sessions.largest_difference(Off(np.nan), honest) <= sessions.TOLERANCE


def test_one_that_is_not_installed_cannot_be_chosen() -> None:
    name = missing()
    with pytest.raises(ExecutionProviderUnusable, match=r"in ONNX Runtime; it has .*CPU") as found:
        compute_on(name)
    assert sessions.Execution.provider == CPU
    assert is_environment(found.value), "analyses wait until somebody repairs it"
    assert in_a_line(found.value).startswith(f"EXECUTION_PROVIDER={name}: expected ")


def test_one_that_falls_back_to_the_cpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions.Execution, "provider", missing())
    sessions.session.cache_clear()
    with (
        pytest.warns(UserWarning, match="not in available provider names"),
        pytest.raises(ExecutionProviderUnusable, match="could not be started"),
    ):
        session("face_detector.onnx")


@pytest.mark.usefixtures("fresh_db")
@pytest.mark.processes
def test_a_worker_that_cannot_compute_there_ends_with_one_line() -> None:
    done = subprocess.run(
        WORKER, cwd=ROOT, env=environment() | {"EXECUTION_PROVIDER": missing()},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]  # as root, Celery warns first
    assert last.startswith(f"EXECUTION_PROVIDER={missing()}: expected ")
    assert "Traceback" not in done.stderr
