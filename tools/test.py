#!/usr/bin/env python3
"""Builds the variants, runs every test, and adds up.

    tools/test.py full            all variants (make test)
    tools/test.py check [ROOM]    debug only, few seeds, or one room's tests (make check)
    tools/test.py fuzz            only the fuzz targets, FUZZ_SECONDS each

The last line is `N passed, N failed`, with `, N skipped` where something was. A test program that prints
TAP counts by its cases, any other as one. JOBS, SEEDS and FUZZ_SECONDS are read from the environment.
"""
import concurrent.futures
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
JOBS = int(os.environ.get("JOBS") or os.cpu_count() or 2)
CASE = re.compile(r"^(not )?ok\b(?: \d+)?(.*)$", re.M)
PLAN = re.compile(r"^1\.\.(\d+)", re.M)
SKIPPED = re.compile(r"#\s*skip", re.I)
SHOWN_LINES = 120


class Tally:
    """Counts by (variant, suite), and what to show of failures."""

    def __init__(self):
        self.rows = {}
        self.failures = []
        self.slowest = []

    def add(self, variant, suite, passed=0, failed=0, skipped=0, seconds=0.0):
        row = self.rows.setdefault((variant, suite), [0, 0, 0, 0.0])
        for i, value in enumerate((passed, failed, skipped, seconds)):
            row[i] += value

    def fail(self, variant, suite, name, output):
        self.failures.append(f"{variant}/{suite}: {name}")
        lines = output.rstrip().splitlines()
        print(f"\n--- FAILED {variant} {suite} {name}")
        if len(lines) > SHOWN_LINES:
            print(f"... {len(lines) - SHOWN_LINES} lines before")
        print("\n".join(lines[-SHOWN_LINES:]), flush=True)

    def close(self):
        print(f"\n{'variant':<10}{'suite':<14}{'passed':>8}{'failed':>8}{'skipped':>8}{'seconds':>9}")
        for (variant, suite), (passed, failed, skipped, seconds) in self.rows.items():
            print(f"{variant:<10}{suite:<14}{passed:>8}{failed:>8}{skipped:>8}{seconds:>9.1f}")
        slow = sorted(self.slowest, reverse=True)[:5]
        if slow and slow[0][0] > 5:
            print("slowest: " + ", ".join(f"{name} {seconds:.1f} s" for seconds, name in slow if seconds > 1))
        for failure in self.failures:
            print(f"FAILED {failure}")
        passed, failed, skipped = (sum(row[i] for row in self.rows.values()) for i in range(3))
        print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""), flush=True)
        return 1 if failed or not passed else 0


def unrandomised():
    """Sanitizers map memory at fixed places that a randomised layout may take first."""
    prefix = ["setarch", platform.machine(), "-R"]
    try:
        if subprocess.run(prefix + ["true"], capture_output=True).returncode == 0:
            return prefix
    except OSError:
        pass
    return []


def build(tally, variant, warnings_fail=True):
    start = time.monotonic()
    done = subprocess.run(
        ["tools/build.sh", variant], cwd=TOP, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=dict(os.environ, WERROR="true" if warnings_fail else "false", JOBS=str(JOBS)))
    seconds = time.monotonic() - start
    if done.returncode:
        tally.add(variant, "build", failed=1, seconds=seconds)
        tally.fail(variant, "build", "tools/build.sh " + variant,
                   "\n".join(line for line in done.stdout.splitlines() if not re.match(r"\[\d+/\d+\]", line)))
        return False
    for line in done.stdout.splitlines():
        if ": warning: " in line:
            print(line)
    print(f"built {variant} in {seconds:.0f} s", flush=True)
    return True


def count(entry):
    """(passed, failed, skipped) of one line of meson's log."""
    result, output = entry["result"], entry.get("stdout") or ""
    passed = failed = skipped = 0
    for bad, rest in CASE.findall(output):
        if SKIPPED.search(rest):
            skipped += 1
        elif bad:
            failed += 1
        else:
            passed += 1
    cases = passed + failed + skipped
    if result == "SKIP":
        return passed, failed, skipped or 1
    if result in ("OK", "EXPECTEDFAIL"):
        if cases == 0:
            return 1, 0, 0
        # A program that ended in good order before its last case did not run them all.
        lost = sum(int(plan) for plan in PLAN.findall(output)) > cases
        return passed, failed + lost, skipped
    return passed, failed or 1, skipped


def run(tally, variant, suites, seeds=None, multiplier=1, **environment):
    log = os.path.join(TOP, "build", variant, "meson-logs", "run.json")
    if os.path.exists(log):
        os.remove(log)
    env = dict(os.environ, **environment)
    env["PATH"] = os.path.join(TOP, "build", "tools") + os.pathsep + env["PATH"]
    if seeds is not None:
        env["INTERTIE_SEEDS"] = str(seeds)
    command = unrandomised() + ["meson", "test", "-C", f"build/{variant}", "--no-rebuild", "--logbase", "run",
                                "--num-processes", str(JOBS), "--timeout-multiplier", str(multiplier)]
    for suite in suites:
        command += ["--suite", suite]
    done = subprocess.run(command, cwd=TOP, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if not os.path.exists(log):
        if done.returncode and "No suitable tests" not in done.stdout:
            tally.add(variant, "run", failed=1)
            tally.fail(variant, "run", " ".join(command), done.stdout)
        return
    with open(log, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            record(tally, variant, suites, json.loads(line))


def record(tally, variant, suites, entry):
    labels, _, name = entry["name"].partition(" / ")
    own = labels.split(":")[-1].split("+")
    suite = next((s for s in own if s in suites), own[0])
    passed, failed, skipped = count(entry)
    tally.add(variant, suite, passed, failed, skipped, entry.get("duration", 0.0))
    tally.slowest.append((entry.get("duration", 0.0), f"{variant}/{name}"))
    if failed:
        tally.fail(variant, suite, f"{name} ({entry['result'].lower()}, exit {entry.get('returncode')})",
                   (entry.get("stdout") or "") + (entry.get("stderr") or ""))


def fuzz_one(program, seconds):
    name = os.path.basename(program)[len("fuzz-"):]
    corpus = os.path.join(TOP, "fuzz", "corpus", name)
    words = os.path.join(TOP, "fuzz", name + ".dict")
    crashes = os.path.join(TOP, "build", "fuzz", "crashes")
    os.makedirs(crashes, exist_ok=True)
    with tempfile.TemporaryDirectory() as found:
        command = unrandomised() + [
            program, f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1",
            f"-artifact_prefix={crashes}/{name}-", found]
        if os.path.isdir(corpus):
            command.append(corpus)
        if os.path.exists(words):
            command.append(f"-dict={words}")
        start = time.monotonic()
        try:
            done = subprocess.run(command, cwd=TOP, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  timeout=seconds * 4 + 120)
            status, output = done.returncode, done.stdout.decode("utf-8", "replace")
        except subprocess.TimeoutExpired as late:
            status, output = -1, (late.stdout or b"").decode("utf-8", "replace") + "\ndid not stop in time"
        return name, status, output, time.monotonic() - start


def fuzz(tally, seconds):
    if not shutil.which("clang"):
        print("no clang here: fuzz targets are not run")
        tally.add("fuzz", "fuzz", skipped=1)
        return
    if not build(tally, "fuzz"):
        return
    folder = os.path.join(TOP, "build", "fuzz", "fuzz")
    programs = sorted(os.path.join(folder, f) for f in os.listdir(folder)
                      if f.startswith("fuzz-") and os.path.isfile(os.path.join(folder, f))) if os.path.isdir(folder) else []
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        for name, status, output, took in pool.map(lambda p: fuzz_one(p, seconds), programs):
            tally.add("fuzz", "fuzz", passed=status == 0, failed=status != 0, seconds=took)
            if status:
                tally.fail("fuzz", "fuzz", name, output)


def full(tally):
    seeds = int(os.environ.get("SEEDS") or 200)
    if build(tally, "debug"):
        run(tally, "debug", ["unit", "battery", "simulation", "fuzz-corpus", "lint", "system"], min(seeds, 20), 3)
    if build(tally, "release"):
        # What each router of the live tests did is done again from its log of inputs.
        run(tally, "release", ["simulation", "system"], seeds, INTERTIE_TEST_REPLAY="1")
    if not shutil.which("clang"):
        print("no clang here: the thread sanitizer's variant is not built")
        tally.add("tsan", "live", skipped=1)
    elif build(tally, "tsan"):
        # Routers whose configuration doesn't say: more workers than most machines that test have cores.
        run(tally, "tsan", ["live"], min(seeds, 20), 5, INTERTIE_TEST_WORKERS="4")
    fuzz(tally, int(os.environ.get("FUZZ_SECONDS") or 5))


def check(tally, room):
    # Warnings are shown, not fatal: the same configuration as `make debug`, so nothing is compiled twice.
    if build(tally, "debug", warnings_fail=False):
        suites = ["room-" + room] if room else ["unit", "battery", "simulation", "fuzz-corpus", "lint"]
        run(tally, "debug", suites, int(os.environ.get("SEEDS") or 5), 3)


def main(arguments):
    tally = Tally()
    if arguments[:1] == ["full"] and len(arguments) == 1:
        full(tally)
    elif arguments[:1] == ["check"] and len(arguments) <= 2:
        check(tally, arguments[1] if len(arguments) == 2 else None)
    elif arguments == ["fuzz"]:
        fuzz(tally, int(os.environ.get("FUZZ_SECONDS") or 60))
    else:
        sys.exit(__doc__)
    return tally.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
