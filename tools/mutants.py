"""``make mutants``: break the code on purpose and see that the named tests notice.

Each ``tests/mutants/*.patch`` is a unified diff from the repository's root. Before the diff, a line
``Tests: path::name …`` names the tests that must fail with it, and the lines around it say what is
broken. A mutant is caught when pytest runs and a test fails (exit status 1); a patch that no longer
applies, tests that cannot be collected, and tests that fail without the patch are errors.

``--turn`` tries a part, for continuous tests: every mutant whose code, tests or patch the last commits
changed, and of the others each ``TURNS``-th, counted from where the commit's name says, so that in time all
have their turn. Without a history it tries all.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from tools.setup import PYTHON, ROOT

AT_ONCE = 3  # copies, and tests running in them
CAUGHT = 1  # pytest's exit status when it ran and tests failed
RECENT = 16  # commits: more than are made between two runs of the continuous tests
TURNS = 12


def named_tests(patch: Path) -> list[str]:
    """The tests of the patch's ``Tests:`` lines. Raises ValueError when it names none."""
    lines = [line for line in patch.read_text().splitlines() if line.startswith("Tests:")]
    tests = [test for line in lines for test in line.removeprefix("Tests:").split()]
    if not tests:
        raise ValueError(f"{patch.name} has no line 'Tests: path::name'")
    return tests


def touches(patch: Path) -> set[str]:
    """The files that a mutant hangs on: what it breaks, the tests it names, and itself."""
    broken = re.findall(r"^--- a/(\S+)", patch.read_text(), re.MULTILINE)
    tests = [name.partition("::")[0] for name in named_tests(patch)]
    return {*broken, *tests, str(patch.relative_to(ROOT))}


def in_turn(patches: list[Path], changed: set[str], turn: int) -> list[Path]:
    """Those that hang on a changed file, and each ``TURNS``-th of all, counted from the ``turn``-th."""
    return [
        patch
        for number, patch in enumerate(patches)
        if number % TURNS == turn % TURNS or touches(patch) & changed
    ]


def git(*command: str) -> str | None:
    """What git says of this tree; None where it cannot."""
    done = subprocess.run(
        ["/usr/bin/env", "git", *command],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    return done.stdout if done.returncode == 0 else None


def recent(patches: list[Path]) -> list[Path]:
    """The part whose turn it is; all where the history does not say which."""
    changed, commit = git("diff", "--name-only", f"HEAD~{RECENT}"), git("rev-parse", "HEAD")
    if changed is None or commit is None:
        return patches
    return in_turn(patches, set(changed.split()), int(commit, 16))


def copy_tree(target: Path) -> None:
    """Copy the working tree, with what git does not ignore."""
    listed = subprocess.run(
        ["/usr/bin/env", "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, stdout=subprocess.PIPE,
    )  # fmt: skip
    for name in listed.stdout.decode().split("\0"):
        source = ROOT / name
        if name and source.is_file():
            place = target / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(source.read_bytes())


def pytest_status(folder: Path, tests: list[str]) -> tuple[int, str]:
    """Run tests in a copy: (exit status, output). All runs share what takes long to make."""
    command = [
        str(PYTHON),
        "-m",
        "pytest",
        "-q",
        "-x",
        "-p",
        "no:randomly",
        "-p",
        "no:cacheprovider",
    ]
    given = {"TEST_PATIENCE": "30", "TEST_SHARED": str(folder.parent / "shared")}
    done = subprocess.run(
        [*command, *tests], cwd=folder, env=os.environ | given,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    return done.returncode, done.stdout


def fails_unbroken(tests: list[str], folders: list[Path]) -> str:
    """Run tests in copies that nobody has broken, a share in each; what failed, empty if nothing did."""
    shares = [tests[number :: len(folders)] for number in range(len(folders))]
    given = [(folder, share) for folder, share in zip(folders, shares, strict=True) if share]
    with ThreadPoolExecutor(len(given)) as pool:
        done = list(pool.map(lambda pair: pytest_status(*pair), given))
    return "\n".join(output for status, output in done if status)


def applied(patch: Path, folder: Path, *options: str) -> bool:
    """Whether a patch could be applied in a folder."""
    command = ["/usr/bin/env", "git", "apply", "--recount", *options, str(patch)]
    return subprocess.run(command, cwd=folder).returncode == 0


def try_mutant(patch: Path, copies: SimpleQueue[Path]) -> bool:
    """Break a free copy, run the named tests there, mend it again; returns whether they noticed."""
    copy = copies.get()
    if not applied(patch, copy):
        copies.put(copy)
        print(f"{patch.stem}: the patch does not apply", flush=True)
        return False
    status, output = pytest_status(copy, named_tests(patch))
    if not applied(patch, copy, "--reverse"):
        raise RuntimeError(f"{patch.name} could not be taken back")
    copies.put(copy)
    caught = status == CAUGHT
    print(f"{patch.stem}: caught" if caught else f"{patch.stem}: NOT CAUGHT\n{output}", flush=True)
    return caught


def main(arguments: list[str]) -> int:
    """Try every mutant, a part (``--turn``) or those named by file; returns 1 when one was not caught."""
    every = sorted((ROOT / "tests" / "mutants").glob("*.patch"))
    if arguments == ["--turn"]:
        patches = recent(every)
    else:
        patches = [Path(name).resolve() for name in arguments] or every
    print(f"mutants: {len(patches)} of {len(every)} are tried", flush=True)
    with tempfile.TemporaryDirectory(prefix="consentry-mutants-") as temporary:
        copies: SimpleQueue[Path] = SimpleQueue()
        (Path(temporary) / "shared").mkdir()
        folders = [Path(temporary) / str(number) for number in range(AT_ONCE)]
        for copy in folders:
            copy.mkdir()
            copy_tree(copy)
            copies.put(copy)
        tests = sorted({test for patch in patches for test in named_tests(patch)})
        if output := fails_unbroken(tests, folders):
            print(f"the tests fail without any mutant:\n{output}", file=sys.stderr)
            return 1
        with ThreadPoolExecutor(AT_ONCE) as pool:
            caught = list(pool.map(lambda patch: try_mutant(patch, copies), patches))
    wrong = caught.count(False)
    print(f"mutants: {wrong} not caught" if wrong else f"mutants: ok, {len(patches)} caught")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
