#!/usr/bin/env python3
"""Measures the built program beside its peers, the floor and itself, in turn.

    bench/run.py [--only PATTERN] [--rounds N] [--seconds S] [--list] [--smoke] [build/release]

One round runs subject, peers, floor, subject, each for some seconds, with the server on one processor and the
generator on another. What counts is the median over the rounds of the ratio within a round; the subject against
itself gives the spread, beyond which a bar is met or missed. What is within the spread is measured once more.
"""
import argparse
import fnmatch
import json
import os
import platform
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import profiler  # noqa: E402
import report  # noqa: E402
import servers  # noqa: E402
import workloads  # noqa: E402


def measure(programs, server, contestant, options):
    """One run of the generator: its line of JSON."""
    if isinstance(server, Fresh):
        running = contestant.start(programs)
        try:
            return measure(programs, running, contestant, options)
        finally:
            running.stop()
    if contestant.probe:
        return contestant.probe(programs, server, options)
    command = [programs.load] + contestant.load + [
        f"port={server.port}", f"sink_port={server.sink_port}", f"seconds={options.seconds}", f"warm={options.warm}",
        "servers=" + ",".join(map(str, server.pids()))] + server.load_words
    done = subprocess.run(command, capture_output=True, text=True, timeout=60 + options.seconds * 4, check=False,
                          preexec_fn=servers.pinned(servers.GENERATOR_CPU))
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
    result = json.loads(done.stdout)
    result["server_us"] += contestant.plus_us
    if not result["messages"]:
        raise SystemExit(f"{' '.join(command)}\nnothing arrived")
    return result


class Fresh:
    """Stands for a program that is started anew for each run."""

    def __init__(self, programs, contestant):
        self.programs, self.contestant = programs, contestant
        contestant.start(programs).stop()  # or it is missing

    def stop(self):
        pass


def start(programs, contestant, fresh):
    return Fresh(programs, contestant) if fresh else contestant.start(programs)


def start_all(programs, workload, started, say):
    """Puts the subject, the floor and the peers that are installed into `started`."""
    started["subject"] = (workload.subject, start(programs, workload.subject, workload.fresh))
    for name, contestant in workload.peers.items():
        try:
            started[name] = (contestant, start(programs, contestant, workload.fresh))
        except servers.Missing as missing:
            say(f"{workload.name}: {missing}")
    if workload.floor:
        started["floor"] = (workload.floor, start(programs, workload.floor, workload.fresh))


def one_round(programs, started, options):
    """Subject first and last: its two figures tell how much this machine drifts meanwhile."""
    results = {name: measure(programs, server, contestant, options)
               for name, (contestant, server) in started.items()}
    contestant, server = started["subject"]
    results["again"] = measure(programs, server, contestant, options)
    return results


def middle(rounds, name, metric):
    return statistics.median(each[name][metric] for each in rounds)


def ratio_of(rounds, name, metric, most):
    """The median of the ratios within each round."""
    ratios = []
    for each in rounds:
        own = (each["subject"][metric] + each["again"][metric]) / 2
        other = each[name][metric]
        ratios.append(own / max(other, 1e-9) if most else other / max(own, 1e-9))
    return statistics.median(ratios)


def spread_of(rounds, metric):
    return statistics.median(abs(each["subject"][metric] / max(each["again"][metric], 1e-9) - 1) for each in rounds)


def lost(rounds, name):
    return sum(each[name]["all_sent"] * each[name]["sinks"] - each[name]["all_got"] for each in rounds)


def verdict(ratio, bar, spread):
    if not bar:
        return ""
    low, high = bar.ratio * (1 - spread), bar.ratio * (1 + spread)
    if low < ratio < high:
        return "undecided"
    return "met" if (ratio < bar.ratio) == bar.most else "missed"


def rows_of(workload, rounds, names):
    metric, spread = workload.metric, spread_of(rounds, workload.metric)
    subject = middle(rounds, "subject", metric)
    floor = ratio_of(rounds, "floor", metric, False) if "floor" in names else None
    for peer in [name for name in names if name not in ("subject", "floor")] or [None]:
        bar = workload.bars.get(peer)
        most = any(each.most for each in workload.bars.values())
        ratio = ratio_of(rounds, peer, metric, most) if peer else None
        first = rounds[0]["subject"]
        yield {
            "workload": workload.name, "subject": "intertie", "peer": peer, "metric": metric, "ratio": ratio,
            "floor_ratio": floor, "bar": bar.ratio if bar else None, "goal": bar.goal if bar else None, "most": most,
            "spread": spread, "verdict": verdict(ratio, bar, spread) if peer else "", "rounds": len(rounds),
            "subject_value": subject, "peer_value": middle(rounds, peer, metric) if peer else None,
            "floor_value": middle(rounds, "floor", metric) if "floor" in names else None,
            "server_us": middle(rounds, "subject", "server_us"), "rate": middle(rounds, "subject", "rate"),
            "peer_us": middle(rounds, peer, "server_us") if peer else None,
            "generator_us": statistics.median(each["subject"]["pub_us"] + each["subject"]["sub_us"] for each in rounds),
            "server_busy": middle(rounds, "subject", "server_busy"),
            "generator_bound": statistics.median(each["subject"]["server_busy"] for each in rounds) < 0.9,
            "latency_us": {key: middle(rounds, "subject", key) for key in ("p50_us", "p99_us", "p999_us") if key in first},
            "peer_latency_us": {key: middle(rounds, peer, key) for key in ("p50_us", "p99_us", "p999_us")
                                if peer and key in first},
            "lost": lost(rounds, "subject"), "peer_lost": lost(rounds, peer) if peer else None,
            "bad": sum(each["subject"]["bad"] for each in rounds), "note": workload.note,
        }


def run_workload(programs, workload, options, say):
    started = {}
    try:
        start_all(programs, workload, started, say)
        rounds = [one_round(programs, started, options) for _ in range(options.rounds)]
        rows = list(rows_of(workload, rounds, list(started)))
        if any(row["verdict"] == "undecided" for row in rows) and not options.smoke:
            rounds += [one_round(programs, started, options) for _ in range(options.rounds)]
            rows = list(rows_of(workload, rounds, list(started)))
        return rows
    except servers.Missing as missing:
        say(f"{workload.name}: {missing}")
        return []
    finally:
        for _, server in started.values():
            server.stop()


def smoke(workload):
    """Our own program alone, no peer and no bar."""
    workload.peers, workload.bars, workload.floor = {}, {}, None
    return workload


def check_smoke(rows):
    """Times say nothing in so short a run; that all arrived does."""
    wrong = [row for row in rows if row["lost"] or row["bad"] or not row["rate"]]
    for row in wrong:
        print(f"{row['workload']}: lost {row['lost']}, bad {row['bad']}, rate {row['rate']}", file=sys.stderr)
    return 1 if wrong or not rows else 0


def read_options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("build", nargs="?", default="build/release")
    parser.add_argument("--only", default="", help="names, patterns for them or parts of them, with commas between")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--warm", type=float, default=0.5)
    parser.add_argument("--out", default="build")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--profile", action="store_true", help="where the time of one workload goes")
    parser.add_argument("--smoke", action="store_true", help="one short round of our own program alone")
    options = parser.parse_args()
    if options.smoke:
        options.rounds, options.seconds, options.warm = 1, 0.3, 0.1
    return options


def wanted(options):
    """Those that one of the words means: the name itself, else a pattern or a part of it."""
    every = list(workloads.all_workloads())
    names, words = [each.name for each in every], []
    for word in options.only.replace(",", " ").split():
        words += workloads.GROUPS.get(word, [word])

    def is_meant(name, word):
        return name == word if word in names else fnmatch.fnmatch(name, word) or word in name
    found = [each for each in every if not words or any(is_meant(each.name, word) for word in words)]
    return [smoke(each) for each in found if each.smoke] if options.smoke else found


def profile_one(chosen, options):
    exact = [each for each in chosen if each.name == options.only] or chosen
    if len(exact) > 1:
        raise SystemExit("a profile is of one workload: " + " ".join(each.name for each in exact))
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        programs = servers.Programs(options.build, folder)
        profiler.run(programs, exact[0], options,
                     lambda server: measure(programs, server, exact[0].subject, options))
    return 0


def main():
    options = read_options()
    chosen = wanted(options)
    if options.list:
        print("\n".join(each.name for each in chosen))
        return 0
    if not chosen:
        raise SystemExit(f"no workload is like '{options.only}': bench/run.py --list has their names")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if options.profile:
        return profile_one(chosen, options)
    rows, notes = [], []
    about = {"when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "kernel": platform.release(),
             "processors": os.cpu_count(), "rounds": options.rounds, "seconds": options.seconds, "notes": notes}
    print(report.heading(), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        programs = servers.Programs(options.build, folder)
        for workload in chosen:
            fresh = run_workload(programs, workload, options, notes.append)
            rows += fresh
            for row in fresh:
                print(report.line(row), flush=True)
            report.write_json(os.path.join(options.out, "bench.json"), rows, about)
    report.write_svg(os.path.join(options.out, "bench.svg"), rows)
    for note in dict.fromkeys(notes):
        print(note)
    return check_smoke(rows) if options.smoke else 0


if __name__ == "__main__":
    sys.exit(main())
