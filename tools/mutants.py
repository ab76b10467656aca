"""Tells whether the tests notice small faults in the integration script: makes mutants of it and runs the tests on each.

    make mutants                                           200 mutants, as tools/mutants.toml says
    make mutants ARGS="--sample 20 --only 'Client\\..*'"    a quick look at some functions

A mutant is killed when a test fails on it, or hangs. First run the unit tests that execute its line; where all of these pass, the
slower tests of the configuration. Ends with status 1 where fewer than the bar are killed.
"""

import argparse
import contextlib
import hashlib
import json
import os
import queue
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import coverage

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.mutations import Mutant, draw, make_mutants

CONFIG = Path("tools/mutants.toml")
BUILD = Path("build/mutants")
# A mutant that takes memory without end fails instead of taking the machine's.
MEMORY_BYTES = 4 << 30
NO_TESTS = 5
# What kills a mutant.
FAILS, HANGS, SLOWLY = "fails", "hangs", "fails the slower tests"


def chosen(mutants: list[Mutant], parts: list[dict[str, Any]]) -> list[Mutant]:
    """Return the mutants of the parts, each one section of the script by its header or functions by a regular expression.

    Raises:
        SystemExit: a part names nothing that is in the script.
    """
    taken: set[tuple[str, str, str]] = set()
    for part in parts:
        found = {
            each.key
            for each in mutants
            if (each.section == part["section"] if "section" in part else re.fullmatch(part["functions"], each.function))
        }
        if not found:
            sys.exit(f"{CONFIG} names {part}, which the script does not hold: correct it or take it out.")
        taken |= found
    return [each for each in mutants if each.key in taken]


def copy_project(config: dict[str, Any], target: Path) -> Path:
    """Return a private copy of what the tests need."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name in config["copied"]:
        if Path(name).is_dir():
            shutil.copytree(name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(name, target / name)
    return target


def run_tests(tree: Path, tests: list[str], config: dict[str, Any], more: tuple[str, ...] = ()) -> str:
    """Run tests in a copy of the project up to the first failure; return "" where all pass, else what ended them."""
    given = tree / "tests-to-run.txt"
    given.write_text("\n".join(tests), encoding="utf-8")
    limit = ("-o", f"faulthandler_timeout={config['seconds_a_test']}", "-o", "faulthandler_exit_on_timeout=true")
    plain = ("-x", "-q", "--rootdir=.", "-p", "no:cacheprovider")
    command = [sys.executable, "-m", "pytest", *plain, *limit, *more, f"@{given.name}"]
    # Two versions of a script within a second may have the same size: nothing that was compiled may stay.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "COVERAGE_FILE": "coverage-data"}
    with (tree / "output.txt").open("wb") as output:
        run = subprocess.Popen(command, cwd=tree, env=environment, stdout=output, stderr=output, start_new_session=True)
        if sys.platform == "linux":
            resource.prlimit(run.pid, resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        try:
            code = run.wait(config["seconds_a_mutant"])
        except subprocess.TimeoutExpired:
            return HANGS
        finally:
            # Whatever the tests have started ends with them.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(run.pid, signal.SIGKILL)
            run.wait()
    if code == NO_TESTS:
        sys.exit(f"There is none of the tests {tests[:3]}: correct {CONFIG}.")
    return "" if code == 0 else FAILS


def ensure_passes(tree: Path, tests: list[str], config: dict[str, Any], more: tuple[str, ...] = ()) -> None:
    """Raise SystemExit where tests fail on the script as it is."""
    if run_tests(tree, tests, config, more):
        sys.exit((tree / "output.txt").read_text() + "\nThe tests fail on the script as it is: correct that first.")


def tests_by_line(config: dict[str, Any]) -> dict[int, list[str]]:
    """Return which unit tests execute each line of the script.

    One run under coverage tells it; its result is kept until the script or a test changes.

    Raises:
        SystemExit: the tests fail on the script as it is.
    """
    script = Path(config["script"])
    files = sorted(path for test in config["tests"] for path in Path(test).rglob("*.*") if "__pycache__" not in path.parts)
    digest = hashlib.sha256(b"\0".join([script.read_bytes(), *(path.read_bytes() for path in files)])).hexdigest()
    kept = BUILD / "tests_by_line.json"
    if not kept.exists() or json.loads(kept.read_text())["digest"] != digest:
        tree = copy_project(config, BUILD / "covered")
        covering = (f"--cov={script.parent}", "--cov-context=test", "--cov-report=", "--cov-fail-under=0")
        ensure_passes(tree, config["tests"], config, covering)
        data = coverage.CoverageData(str(tree / "coverage-data"))
        data.read()
        contexts = data.contexts_by_lineno(str((tree / script).resolve()))
        lines = {line: sorted({name.rpartition("|")[0] for name in names} - {""}) for line, names in contexts.items()}
        # A test that fails when it is named by itself would kill every mutant.
        ensure_passes(tree, sorted({test for tests in lines.values() for test in tests}), config)
        kept.write_text(json.dumps({"digest": digest, "lines": lines}))
    return {int(line): tests for line, tests in json.loads(kept.read_text())["lines"].items()}


def try_mutant(tree: Path, mutant: Mutant, tests: list[str], config: dict[str, Any], is_listed: bool) -> str:
    """Return what killed the mutant, or "" where it survives. The slower tests are not asked for one whose reason is known."""
    (tree / config["script"]).write_text(mutant.script, encoding="utf-8")
    killed = run_tests(tree, tests, config) if tests else ""
    if not killed and config["slower"] and not is_listed:
        killed = run_tests(tree, config["slower"], config) and SLOWLY
    return killed


def try_all(mutants: list[Mutant], config: dict[str, Any], workers: int, reasons: dict[tuple[str, str, str], str]) -> list[str]:
    """Return what killed each of the mutants, in their order; a line for each goes to the log while it runs."""
    lines = tests_by_line(config)
    sizes = Counter(test for tests in lines.values() for test in tests)
    trees: queue.SimpleQueue[Path] = queue.SimpleQueue()
    for number in range(workers):
        trees.put(copy_project(config, BUILD / f"copy-{number}"))

    def try_one(mutant: Mutant) -> str:
        found = {test for line in range(mutant.line, mutant.last_line + 1) for test in lines.get(line, [])}
        # A test that executes few lines is about them, and quick.
        tests = sorted(found, key=lambda test: (sizes[test], test))
        tree, begun = trees.get(), time.monotonic()
        try:
            killed = try_mutant(tree, mutant, tests, config, mutant.key in reasons)
        finally:
            trees.put(tree)
        log.write(f"{killed or 'SURVIVES'}, {len(tests)} tests, {time.monotonic() - begun:.1f} s, {mutant}\n")
        log.flush()
        return killed

    with (BUILD / "log.txt").open("w", encoding="utf-8") as log, ThreadPoolExecutor(workers) as pool:
        return list(pool.map(try_one, mutants))


def main(arguments: list[str]) -> int:
    """Make the mutants, try them and tell; return 1 where too many survive."""
    parser = argparse.ArgumentParser(prog="make mutants", description="Tell whether the tests notice small faults in the script.")
    parser.add_argument("--sample", type=int, help="how many mutants (default: as configured)")
    parser.add_argument("--seed", type=int, help="which mutants (default: as configured)")
    parser.add_argument("--only", default="", help="a regular expression for the names of functions")
    parser.add_argument("--workers", type=int, default=2, help="how many mutants are tried side by side (default: 2)")
    given = parser.parse_args(arguments)
    config = tomllib.loads(CONFIG.read_text(encoding="utf-8"))
    seed = config["seed"] if given.seed is None else given.seed
    reasons = {(each["function"], each["old"], each["new"]): each["reason"] for each in config.get("survivors", [])}
    made = chosen(make_mutants(Path(config["script"]).read_text(encoding="utf-8"), config["silent"]), config["parts"])
    sample = draw([each for each in made if re.search(given.only, each.function)], given.sample or config["sample"], seed)
    if not sample:
        sys.exit(f"No function that is mutated matches {given.only}.")
    BUILD.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    outcomes = try_all(sample, config, given.workers, reasons)
    report = []
    for mutant, killed in zip(sample, outcomes, strict=True):
        if not killed:
            report.append(f"{config['script']}:{mutant}\n    {reasons.get(mutant.key, 'no reason is listed')}")
        elif mutant.key in reasons:
            report.append(f"{config['script']}:{mutant}\n    is killed now: take it out of {CONFIG}.")
    gone = sorted(reasons.keys() - {each.key for each in made})
    report += [f"{CONFIG} lists {key}, which is no longer made: take it out." for key in gone]
    count = sum(map(bool, outcomes))
    report.append(
        f"{count} of {len(sample)} mutants are killed ({outcomes.count(HANGS)} hang, {outcomes.count(SLOWLY)} by slower tests); "
        f"at least {config['bar']:.0%} must be. {len(made)} could be made. {time.monotonic() - begun:.0f} s."
    )
    sys.stdout.write("\n".join(report) + "\n")
    return int(count < config["bar"] * len(sample))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
