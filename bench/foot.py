"""What a program takes when it does nothing: its start, its memory, its idle connections."""
import json
import subprocess
import time

import servers


def result(value):
    """As a run of the generator would have it."""
    return {"messages": 1, "value": value, "server_us": 0, "pub_us": 0, "sub_us": 0, "rate": 1, "server_busy": 1,
            "all_sent": 0, "all_got": 0, "sinks": 1, "bad": 0}


class Holder:
    """Idle connections, as long as it runs."""

    def __init__(self, programs, port, count, dialect, words=()):
        path = "/v1/messages" if dialect == "http" else "/"
        self.process = subprocess.Popen(
            [programs.load, "idle", f"dialect={dialect}", f"port={port}", f"connections={count}", "expect=202",
             f"path={path}"] + list(words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            preexec_fn=servers.pinned(servers.GENERATOR_CPU))
        if not self.process.stdout.readline():
            error = self.process.stderr.read().decode(errors="replace")
            raise SystemExit(f"{count} idle connections: {error}")

    def stop(self):
        self.process.kill()
        self.process.communicate()


def memory_idle(_programs, server, _options):
    time.sleep(1)
    return result(server.memory("Rss") / 1024)


def per_connection(dialect, count, *words):
    """KiB of PSS for each of `count` connections."""
    def probe(programs, server, options):
        number = 200 if options.smoke else count
        before = server.memory("Pss")
        holder = Holder(programs, server.port, number, dialect, words)
        try:
            time.sleep(0.5)
            return result((server.memory("Pss") - before) / number)
        finally:
            holder.stop()
    return probe


def start_time(dialect):
    """Milliseconds to the first answer, the median of nine. `server` is stopped: it only shows the command."""
    def probe(programs, server, _options):
        server.stop()
        words = [programs.load, "start", f"dialect={dialect}", f"port={server.port}", "--"] + server.command
        taken = []
        for _ in range(9):
            done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60, cwd=server.folder)
            if done.returncode:
                raise SystemExit(done.stderr)
            taken.append(json.loads(done.stdout)["start_ms"])
        return result(sorted(taken)[4])
    return probe


class Constant:
    """A peer that is only a number."""

    def __init__(self, value):
        self.value = value

    def stop(self):
        pass


def constant(_programs, server, _options):
    return result(server.value)
