"""The wheel: built, installed into an environment of its own without a network, and used there."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import consentry_client
from consentry_client.command_line.arguments import COMMANDS
from tests.processes import ROOT

PROJECT = ROOT / "clients" / "python"
VERIFIER = ROOT / "tools" / "verify_access_log.py"
NO_NETWORK = {"PATH": "/usr/bin:/bin", "UV_OFFLINE": "1", "UV_NO_CONFIG": "1"}


def run(*command: str | Path, **environment: str) -> str:
    done = subprocess.run(
        [*map(str, command)],
        cwd=PROJECT,
        env=NO_NETWORK | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``uv build`` makes: first the source archive, then of that the wheel."""
    folder = tmp_path_factory.mktemp("dist")
    uv = Path(sys.executable).parent / "uv"
    run(uv, "build", "--out-dir", folder, "--cache-dir", folder / "cache", ".")
    return folder


def test_the_wheel_holds_the_verifier_the_types_and_the_licence(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        verifier = archive.read("consentry_client/verify_access_log.py")
    assert verifier == VERIFIER.read_bytes()
    assert "consentry_client/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not any(name.startswith(("tests", "tools")) for name in names)
    (source,) = dist.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        assert all(member.isfile() or member.isdir() for member in archive.getmembers())
        for link in (path for path in PROJECT.rglob("*") if path.is_symlink()):
            kept = archive.extractfile(f"{source.name[:-7]}/{link.relative_to(PROJECT)}")
            assert kept is not None
            assert kept.read() == link.read_bytes(), link


def test_the_wheel_works_where_nothing_else_of_ours_is(dist: Path, tmp_path: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    uv, python = Path(sys.executable).parent / "uv", tmp_path / "venv" / "bin" / "python"
    cache = ("--cache-dir", str(tmp_path / "cache"))
    run(uv, "venv", *cache, "--python", sys.executable, tmp_path / "venv")
    run(uv, "pip", "install", *cache, "--python", python, "--no-deps", wheel)
    # The dependencies are those of the environment at hand: what is tested is the wheel, not an index.
    (theirs,) = (tmp_path / "venv" / "lib").glob("python3*/site-packages")
    (ours,) = (Path(sys.prefix) / "lib").glob("python3*/site-packages")
    (theirs / "dependencies.pth").write_text(f"{ours}\n")
    said = run(tmp_path / "venv" / "bin" / "consentry", "--help", HOME=str(tmp_path))
    for command, *_others in COMMANDS:
        assert re.search(rf"^ +{command}(\s|$)", said, re.MULTILINE)
    assert "exit status" in said
    where = run(python, "-c", "import consentry_client as c; print(c.__file__, c.__version__)")
    assert where.split() == [str(theirs / "consentry_client" / "__init__.py"), "0.1.0"]


def test_the_version_is_said_once() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert project["version"] == consentry_client.__version__


def test_what_is_imported_is_a_dependency() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    declared = {re.split(r"[<>=]", each)[0] for each in project["dependencies"]}
    optional = {
        re.split(r"[<>=]", each)[0]
        for extra in project["optional-dependencies"].values()
        for each in extra
    }
    imported: set[str] = set()
    for path in (PROJECT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {each.name.partition(".")[0] for each in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add((node.module or "").partition(".")[0])
    others = imported - set(sys.stdlib_module_names) - {"consentry_client"}
    assert declared | optional == others
