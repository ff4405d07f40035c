#!/usr/bin/env python3
"""Checks what a compiler does not: who includes whom, banned calls, file lengths, exported names.

Prints TAP. Each finding is file:line: text. What ratchet.txt lists is tolerated up to its count;
`--shrink` writes lower counts back.
"""
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HERE = os.path.dirname(os.path.abspath(__file__))
ROOMS = os.path.join(HERE, "rooms.txt")
RATCHET = os.path.join(HERE, "ratchet.txt")
LINES_MAX = 700
TEST_LINES_MAX = 1000
WORLD_ROOMS = ("platform", "runtime")
PRINTING_ROOMS = ("cli", "testing", "simulation")

NEVER = "strcpy strcat sprintf vsprintf gets atoi atol atoll atof strtok alloca".split()
HEAP = """malloc calloc realloc reallocarray free aligned_alloc posix_memalign strdup strndup asprintf
    vasprintf""".split()
PRINT = "printf fprintf vprintf vfprintf dprintf vdprintf puts putchar perror syslog vsyslog".split()
WORLD = """clock_gettime clock_nanosleep gettimeofday time clock nanosleep usleep sleep timerfd_create
    socket socketpair accept accept4 bind connect listen shutdown send recv sendto recvfrom sendmsg recvmsg
    sendmmsg recvmmsg setsockopt getsockopt getaddrinfo poll ppoll select epoll_create1 epoll_ctl epoll_wait
    rand random srand srandom rand_r drand48 getrandom getentropy RAND_bytes
    fork vfork execve execvp system popen signal sigaction""".split()
WORLD_PATTERNS = [r"\bpthread_\w+", r"\batomic_\w+", r"\b_Atomic\b", r"\b__atomic_\w+", r"\b__sync_\w+"]
WORLD_HEADERS = ("sys/epoll.h", "pthread.h", "stdatomic.h")

TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.M)


class SkipCheck(Exception):
    pass


def calls(names):
    """A call by name, not through a member: `row->send(...)` is no system call."""
    return re.compile(r"(?<![\w.])(?<!->)(?:" + "|".join(map(re.escape, names)) + r")\s*\(")


def bare(text):
    """The text without comments and literals, line numbers kept."""
    def blank(match):
        token = match.group()
        return "\n" * token.count("\n") if token.startswith("/") else '""'
    return TOKEN.sub(blank, text)


class Source:
    def __init__(self, path):
        self.path = path  # relative to the top
        with open(os.path.join(TOP, path), encoding="utf-8", errors="replace") as file:
            self.text = file.read()
        self.code = bare(self.text)
        parts = path.split("/")
        self.folder = "/".join(parts[1:-1])
        self.room = parts[1] if parts[0] == "src" and len(parts) > 2 else ""
        # Unit tests, batteries, test kits, fuzz targets and benchmarks may do more.
        self.loose = not self.room or bool(re.search(r"_test\.[ch]$|battery|testkit|/fuzz_|/bench_", path))

    def find(self, pattern, text=None):
        text = self.code if text is None else text
        for match in pattern.finditer(text):
            yield text.count("\n", 0, match.start()) + 1, match


def sources():
    for base in ("src", "include", "fuzz", "bench", "examples"):
        for folder, folders, files in os.walk(os.path.join(TOP, base)):
            folders[:] = sorted(f for f in folders if not f.startswith(".") and f != "corpus")
            for name in sorted(files):
                if name.endswith((".c", ".h")):
                    yield Source(os.path.relpath(os.path.join(folder, name), TOP))


def read_rooms():
    rooms = {}
    with open(ROOMS, encoding="utf-8") as lines:
        for line in lines:
            line = line.split("#")[0].strip()
            if line:
                name, _, rest = line.partition(":")
                rooms[name.strip()] = rest.split()
    return rooms


def room_rule(rooms, source):
    """The row for a file: its own, then its folder's, then `room/*` for an inner folder, then the room's."""
    names = [source.path[len("src/"):], source.folder]
    if "/" in source.folder:
        names.append(source.room + "/*")
    for name in names + [source.room]:
        if name in rooms:
            return rooms[name]
    return None


def check_includes(all_sources):
    rooms = read_rooms()
    for source in all_sources:
        if not source.room:
            continue
        rule = room_rule(rooms, source)
        if rule is None:
            yield source.path, 1, f"room '{source.room}' has no row in tests/lint/rooms.txt"
            continue
        for line, match in source.find(INCLUDE, source.text):
            quote, name = match.groups()
            target = os.path.dirname(name)
            if quote == "<":
                continue
            if source.room in ("library", "testing") and target == "intertie":
                continue  # the public header
            if not target or not os.path.exists(os.path.join(TOP, "src", name)):
                yield source.path, line, f'"{name}" is not of the form "room/file.h" below src/'
                continue
            inner = "/" in target and target.split("/")[0] + "/*" in rule
            if not (source.loose or inner or target == source.folder or target in rule):
                yield source.path, line, f"{source.folder} may not include {target}"


def check_never(all_sources):
    pattern = calls(NEVER)
    for source in all_sources:
        for line, match in source.find(pattern):
            yield source.path, line, f"banned: {match.group().rstrip('( ')}"
        for line, match in source.find(INCLUDE, source.text):
            if match.group(2) in ("threads.h", "alloca.h"):
                yield source.path, line, f"banned: <{match.group(2)}>"


def check_world(all_sources):
    pattern = re.compile("|".join([calls(WORLD).pattern] + WORLD_PATTERNS))
    for source in all_sources:
        if source.loose or source.room in WORLD_ROOMS:
            continue
        for line, match in source.find(pattern):
            if source.room == "cli" and match.group().rstrip("( ") in ("fork", "poll"):
                continue  # `start` makes a process and waits for its word
            if str(source.path).startswith("src/protocol/tls/") and match.group().rstrip("( ") == "RAND_bytes":
                continue  # TLS draws its own entropy: the one exception to purity
            if source.room == "telemetry" and "tomic" in match.group():
                continue  # counters are read while their worker writes them; nothing else may be atomic
            yield source.path, line, f"only platform and runtime touch the world: {match.group().rstrip('( ')}"
        for line, match in source.find(INCLUDE, source.text):
            if match.group(2) in WORLD_HEADERS and (source.room, match.group(2)) != ("telemetry", "stdatomic.h"):
                yield source.path, line, f"only platform and runtime touch the world: <{match.group(2)}>"


def check_prints(all_sources):
    pattern = calls(PRINT)
    for source in all_sources:
        if source.loose or source.room in PRINTING_ROOMS:
            continue
        for line, match in source.find(pattern):
            yield source.path, line, f"this room returns, it does not print: {match.group().rstrip('( ')}"


def check_heap(all_sources):
    pattern = calls(HEAP)
    for source in all_sources:
        if source.loose or source.path == "src/base/memory.c":
            continue
        for line, match in source.find(pattern):
            yield source.path, line, f"the heap has one door, base/memory.h: {match.group().rstrip('( ')}"


def check_lengths(all_sources):
    for source in all_sources:
        limit = TEST_LINES_MAX if source.loose else LINES_MAX
        count = source.text.count("\n")
        # One finding per line too many, so that the ratchet tightens line by line.
        for line in range(limit + 1, count + 1):
            yield source.path, line, f"{count} lines, {limit} at most: does it hold two ideas?"


def text_files():
    left_out = ("build", ".git", "node_modules", "corpus", "__pycache__")
    for folder, folders, files in os.walk(TOP):
        inner = os.path.relpath(folder, TOP)
        folders[:] = sorted(f for f in folders if f not in left_out)
        for name in sorted(files):
            path = os.path.normpath(os.path.join(inner, name))
            if path == ".git" or name.endswith(".log"):
                continue
            try:
                with open(os.path.join(TOP, path), encoding="utf-8") as file:
                    yield path, file.read()
            except (UnicodeDecodeError, OSError):
                continue


def check_portable(_):
    """No path of the machine that it was written on: neither the folder of this checkout nor a home."""
    patterns = [r"(?<![\w.}])/(?:home|Users)/(?!runner\b|user\b)[a-z]\w*/"]
    parent = os.path.dirname(TOP)
    if parent not in ("/", "/tmp", "/usr/src", "/opt", "/srv", "/home", "/root", "/var/tmp"):
        patterns.append(r"(?<![\w.}])" + re.escape(parent) + "/")
    absolute = re.compile("|".join(patterns))
    outside = re.compile(r"\.\./shared\b")
    for path, text in text_files():
        for number, line in enumerate(text.split("\n"), 1):
            if absolute.search(line):
                yield path, number, f"a path of one machine: {line.strip()[:90]}"
            if outside.search(line) and not path.startswith("tests/") and not path.endswith("_test.c"):
                yield path, number, "a path outside the tree; only tests may look for data there"


def exported(path, option):
    done = subprocess.run(["nm", option, "--defined-only", path], capture_output=True, text=True, check=True)
    return [fields[2] for fields in map(str.split, done.stdout.splitlines()) if len(fields) == 3]


def check_symbols(_):
    folder = os.path.join(os.environ.get("INTERTIE_BUILD") or os.path.join(TOP, "build", "release"), "src")
    found = [(os.path.join(folder, name), option) for name, option in (("libintertie.so", "-D"), ("libintertie.a", "-g"))
             if os.path.exists(os.path.join(folder, name))]
    if not found:
        raise SkipCheck("no built library")
    for path, option in found:
        for name in exported(path, option):
            if not name.startswith("intertie_"):
                yield os.path.basename(path), 0, f"exports {name}"


CHECKS = [
    ("rooms-include-only-what-they-may", check_includes),
    ("no-banned-call", check_never),
    ("world-only-in-platform-and-runtime", check_world),
    ("rooms-return-instead-of-printing", check_prints),
    ("one-door-to-the-heap", check_heap),
    ("files-fit-in-a-head", check_lengths),
    ("no-path-of-one-machine", check_portable),
    ("only-public-names-are-exported", check_symbols),
]


def read_ratchet():
    ratchet = {}
    with open(RATCHET, encoding="utf-8") as lines:
        for line in lines:
            fields = line.split("#")[0].split()
            if len(fields) == 3:
                ratchet[fields[0], fields[1]] = int(fields[2])
    return ratchet


def write_ratchet(ratchet):
    with open(RATCHET, encoding="utf-8") as lines:
        head = [line for line in lines if line.startswith("#")]
    with open(RATCHET, "w", encoding="utf-8") as file:
        file.writelines(head)
        for (check, path), count in sorted(ratchet.items()):
            if count:
                file.write(f"{check} {path} {count}\n")


def judge(name, findings, ratchet):
    """What to show (new excess, and tolerated excess that shrank without its ratchet), and the counts."""
    by_file = {}
    for path, line, text in findings:
        by_file.setdefault(path, []).append(f"{path}:{line}: {text}")
    shown = []
    for path, lines in by_file.items():
        if len(lines) > ratchet.get((name, path), 0):
            shown += lines[:5] + ([f"{path}: and {len(lines) - 5} more"] if len(lines) > 5 else [])
    counts = {key: min(allowed, len(by_file.get(key[1], []))) for key, allowed in ratchet.items() if key[0] == name}
    for key, now in counts.items():
        if now < ratchet[key]:
            shown.append(f"{key[1]}: {now} left of {ratchet[key]}: keep it so with tests/lint/lint.py --shrink")
    return shown, counts


def main():
    all_sources = list(sources())
    ratchet = read_ratchet()
    lowered = {}
    failed = 0
    print(f"1..{len(CHECKS)}")
    for number, (name, check) in enumerate(CHECKS, 1):
        try:
            shown, counts = judge(name, check(all_sources), ratchet)
        except SkipCheck as reason:
            print(f"ok {number} - {name} # SKIP {reason}")
            lowered.update({key: count for key, count in ratchet.items() if key[0] == name})
            continue
        lowered.update(counts)
        for line in shown:
            print(f"# {line}")
        print(f"{'not ' if shown else ''}ok {number} - {name}")
        failed += bool(shown)
    if "--shrink" in sys.argv[1:]:
        write_ratchet(lowered)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
