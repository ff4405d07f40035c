"""Where the time of one workload goes: perf where it may sample, else callgrind, which counts instructions."""
import os
import shutil
import subprocess

import servers

REPORT = ["perf", "report", "--stdio", "--no-children", "-g", "none", "--percent-limit", "0.5", "-i"]


def may_sample(folder):
    """perf is there, and the kernel lets it."""
    if not shutil.which("perf"):
        return False
    probe = subprocess.run(["perf", "record", "-q", "-e", "cpu-clock", "-o", os.path.join(folder, "probe.perf"), "true"],
                           capture_output=True, check=False)
    return probe.returncode == 0


def by_perf(programs, workload, options, load):
    path = os.path.join(options.out, f"{workload.name}.perf")
    server = workload.subject.start(programs)
    recorder = None
    try:
        recorder = subprocess.Popen(["perf", "record", "-q", "-e", "cpu-clock", "-F", "1999", "-g", "-o", path, "-p",
                                     ",".join(map(str, server.pids())), "--", "sleep", str(options.seconds + options.warm)],
                                    preexec_fn=servers.pinned(servers.GENERATOR_CPU))
        load(server)
        recorder.wait(60)
    finally:
        if recorder and recorder.poll() is None:
            recorder.kill()
        server.stop()
    subprocess.run(REPORT + [path], check=False)
    print(f"perf report -i {path}")


def by_callgrind(programs, workload, options, load):
    path = os.path.join(options.out, f"{workload.name}.callgrind")
    programs.wrap = [servers.find("valgrind"), "--tool=callgrind", f"--callgrind-out-file={path}"]
    server = workload.subject.start(programs)
    try:
        load(server)
    finally:
        server.stop()
    subprocess.run(["callgrind_annotate", path], check=False)
    print(f"callgrind_annotate {path}")


def run(programs, workload, options, load):
    """`load` runs the generator, after a warm-up in which a profiler can attach itself; it does so against a server
    that was started."""
    options.warm = max(options.warm, 2)
    if workload.subject.probe:
        raise SystemExit(f"{workload.name} moves no messages")
    options.out = os.path.abspath(options.out)
    how = by_perf if may_sample(programs.folder) else by_callgrind
    how(programs, workload, options, load)
