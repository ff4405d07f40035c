#!/usr/bin/env python3
"""Holds the documentation against the sources and the program. Prints TAP."""
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.environ.get("INTERTIE_SOURCE") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ.get("INTERTIE", "")
SKIPPED_FOLDERS = {".git", "build", "node_modules"}

results = 0
failures = 0


def case(name, faults):
    """One TAP line; `faults` are what is wrong, in words."""
    global results, failures
    results += 1
    if faults:
        failures += 1
        print(f"not ok {results} - {name}")
        for fault in faults:
            print(f"# {fault}")
    else:
        print(f"ok {results} - {name}")


def skip(name, why):
    global results
    results += 1
    print(f"ok {results} - {name} # SKIP {why}")


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def documents():
    found = []
    for folder, folders, files in os.walk(ROOT):
        folders[:] = sorted(f for f in folders if f not in SKIPPED_FOLDERS and not f.startswith("."))
        found += [os.path.relpath(os.path.join(folder, f), ROOT) for f in sorted(files) if f.endswith(".md")]
    return found


# -- links --


def prose(text):
    """Without code, where brackets mean nothing."""
    text = re.sub(r"^(`{3,}).*?^\1`*$", "", text, flags=re.M | re.S)
    return re.sub(r"`[^`\n]*`", "", text)


def anchors(text):
    """As the usual viewers make them from headings."""
    names = set()
    text = re.sub(r"^(`{3,}).*?^\1`*$", "", text, flags=re.M | re.S)
    for heading in re.findall(r"^#+ +(.+?) *$", text, flags=re.M):
        name = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        names.add(name)
    return names


def broken_links(path):
    faults = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(read(path))):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        full = os.path.normpath(os.path.join(os.path.dirname(path), file)) if file else path
        if not os.path.exists(os.path.join(ROOT, full)):
            faults.append(f"{path}: nothing is at {target}")
        elif anchor and full.endswith(".md") and anchor not in anchors(read(full)):
            faults.append(f"{path}: no heading for {target}")
    return faults


# -- the tables of the sources --


STATUS_ROW = r'X\((\w+), \w+, "([a-z-]+)", (\d+), \d+, (\d+),'


def statuses():
    """reason: (HTTP status, stream code)."""
    return {reason: (http, stream) for _, reason, http, stream in re.findall(STATUS_ROW, read("src/base/status.h"))}


def reasons_in_table(text):
    """Rows `| `reason` | http | stream | words |`."""
    return {m[0]: (m[1], m[2]) for m in re.findall(r"^\| `([a-z-]+)` \| (\d+) \| (\d+|-) \| .+ \|$", text, flags=re.M)}


def compare_reasons():
    faults = []
    known = {reason: row for reason, row in statuses().items() if reason != "ok"}
    shown = reasons_in_table(read("docs/messages.md"))
    if len(known) < 40:
        faults.append(f"only {len(known)} rows read from src/base/status.h: has its form changed?")
    for reason, (http, stream) in known.items():
        if reason not in shown:
            faults.append(f"docs/messages.md has no row for `{reason}`")
        elif shown[reason] != (http, "-" if stream == "0" else stream):
            faults.append(f"docs/messages.md: `{reason}` is {shown[reason]}, the program says {(http, stream)}")
    return faults + [f"docs/messages.md: nobody has a reason `{r}`" for r in shown if r not in known]


def used_reasons():
    """Reasons that some code can give; those that only stand in the table are for later versions."""
    names = {name: reason for name, reason, _, _ in re.findall(STATUS_ROW, read("src/base/status.h"))}
    used = set()
    for folder, _, files in os.walk(os.path.join(ROOT, "src")):
        for file in files:
            if file.endswith(".c") and not file.endswith("_test.c") and file != "status.c":
                text = open(os.path.join(folder, file), encoding="utf-8").read()
                used |= {names[n] for n in set(re.findall(r"\bSTATUS_([A-Z_]+)\b", text)) if n in names}
    return used - {"ok"}


def unexplained_reasons():
    text = read("docs/troubleshooting.md")
    return [f"docs/troubleshooting.md says nothing about `{r}`" for r in sorted(used_reasons()) if f"`{r}`" not in text]


def compare_attributes():
    known = set(re.findall(r'X\(\w+, "(\w+)",', read("src/message/attribute.h")))
    section = read("docs/messages.md").split("## Known attributes", 1)[-1]
    shown = set(re.findall(r"`(\w+)`", section.split("\n\nA value")[0]))
    faults = [f"docs/messages.md doesn't list the attribute `{a}`" for a in sorted(known - shown)]
    return faults + [f"docs/messages.md: there is no attribute `{a}`" for a in sorted(shown - known)]


# -- examples, by the program --


def run(*arguments):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("INTERTIE_")}
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=30, env=environment)


def complete_examples():
    for path in documents():
        for number, text in enumerate(re.findall(r"^```yaml complete\n(.*?)^```$", read(path), flags=re.M | re.S), 1):
            yield f"{path} example {number}", text


def invalid(text):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "example.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        done = run("validate", path)
    return [] if done.returncode == 0 else [f"exit {done.returncode}"] + (done.stdout + done.stderr).splitlines()


def transcript_lines():
    """`$ intertie ...` in console blocks."""
    for path in documents():
        for block in re.findall(r"^```console\n(.*?)^```$", read(path), flags=re.M | re.S):
            joined = re.sub(r"\\\n\s*", " ", block)
            for line in re.findall(r"^\$ (intertie\b.*)$", joined, flags=re.M):
                yield path, line


def unknown_commands():
    faults = []
    overview = run("--help")
    helps = {}
    for path, line in transcript_lines():
        words = re.sub(r"'[^']*'|\"[^\"]*\"|#.*$", "", line).split()[1:]
        if not words or words[0].startswith("-"):
            continue
        command = words[0]
        if not re.search(rf"^\s+{re.escape(command)}\b", overview.stdout, flags=re.M):
            faults.append(f"{path}: `{line}`: --help has no command `{command}`")
            continue
        if command not in helps:
            helps[command] = run(command, "--help").stdout + overview.stdout
        for option in (w.split("=")[0] for w in words[1:] if re.match(r"--[a-z]", w)):
            if option not in helps[command]:
                faults.append(f"{path}: `{line}`: `{command} --help` has no {option}")
    return faults


def main():
    pages = documents()
    case("links lead somewhere", [fault for path in pages for fault in broken_links(path)])
    case("every reason is in docs/messages.md as the program has it", compare_reasons())
    case("every reason that can be met is in docs/troubleshooting.md", unexplained_reasons())
    case("every known attribute is listed", compare_attributes())
    if not os.access(PROGRAM, os.X_OK):
        skip("examples and transcripts", "no program")
    else:
        examples = list(complete_examples())
        case("there are complete examples", [] if len(examples) >= 5 else [f"only {len(examples)} found"])
        case("a broken example would be noticed", [] if invalid("listeners: {web: nowhere}\n") else ["validate took it"])
        for name, text in examples:
            case(f"{name} is valid", invalid(text))
        case("commands in transcripts exist", unknown_commands())
    print(f"1..{results}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
