#!/usr/bin/env python3
"""A router under mixed traffic logs its inputs; its engines do the same again, also after a reload, a drain, a kill."""
import glob
import json
import os
import signal
import socket
import stat


from kit import (DatagramSystem, LineSystem, Router, case, event, main, reply_to, same, true, until)

CONFIG = """workers: {workers}
listeners: {{web: http://127.0.0.1:0, stream: tcp://127.0.0.1:0, native: intertie://127.0.0.1:0, ticks: udp://127.0.0.1:0}}
systems:
  pricing: tcp://127.0.0.1:{pricing}
  lamp: udp://127.0.0.1:{lamp}
  desk: {{accept: true}}
routes:
  alarms: {{match: {{type: com.example.alarm}}, to: lamp}}
  prices: {{match: {{type: com.example.price}}, to: pricing}}
drain: {{grace: 5s}}
"""


class Traffic:
    def __init__(self, workers):
        self.pricing = LineSystem(lambda e: reply_to(e, {"eur": 1}) if e["messagetype"] == "query" else None)
        self.lamp = DatagramSystem()
        self.router = Router(CONFIG.format(workers=workers, pricing=self.pricing.port, lamp=self.lamp.port), replay=True)

    def flow(self, rounds):
        router = self.router
        lines, desk = router.lines(), router.lines()
        desk.control("hello", system="desk")
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for i in range(rounds):
            same(router.post(event("event", "com.example.alarm", {"n": i})).status, 202, "an event over HTTP")
            same(router.post(event("query", "com.example.price", {"n": i}, partitionkey=f"k{i % 3}")).status, 200, "a query")
            router.post(event("event", "com.example.nobody"))
            lines.send(event("event", "com.example.alarm", {"n": i}, priority=4))
            lines.send(event("event", "com.example.x", {"n": "x" * 3000}, target="desk"))
            udp.sendto(json.dumps(event("event", "com.example.price", {"n": i})).encode(), ("127.0.0.1", router.ports["ticks"]))
            true(desk.read(), "the desk's event")
        router.intertie("send", "--to", "desk", "--type", "com.example.x", "--url",
                        f"intertie://127.0.0.1:{router.ports['native']}", "--data", "1")
        router.status()
        for open_socket in (lines, desk, udp):
            open_socket.close()

    def files(self):
        return sorted(glob.glob(os.path.join(self.router.inputs, "*.inputs")))

    def close(self):
        self.pricing.close()
        self.lamp.close()


def through_reload_and_drain(workers):
    traffic = Traffic(workers)
    with traffic.router as router:
        traffic.flow(10)
        router.write(router.config.replace("  desk: {accept: true}", "  desk: {accept: true}\n  other: {accept: true}"))
        same(router.intertie("reload").returncode, 0, "reload")
        traffic.flow(5)
        router.write(router.config)
        same(router.intertie("reload").returncode, 0, "reload back")
        traffic.flow(5)
        same(len(traffic.files()), workers, "files")
        for path in traffic.files():
            same(stat.S_IMODE(os.stat(path).st_mode), 0o600, "the file's mode")
        same(stat.S_IMODE(os.stat(router.inputs).st_mode), 0o700, "the folder's mode")
        router.child.send_signal(signal.SIGTERM)
        same(router.child.wait(20), 0, "exit code")
        done = router.replay("--json", router.inputs)
        same(done.returncode, 0, done.stdout + done.stderr)
        told = [json.loads(line) for line in done.stdout.splitlines()]
        same([report["worker"] for report in told], list(range(workers)), "workers")
        true(all(report["whole"] and report["result"] == "equal" for report in told), "all of it")
        true(sum(report["messages"] for report in told) >= 20 * 6, "all messages are there")
    traffic.close()


@case
def one_worker_replays_through_reload_and_drain():
    through_reload_and_drain(1)


@case
def three_workers_replay_through_reload_and_drain():
    through_reload_and_drain(3)


@case
def a_killed_router_s_log_replays_to_its_end():
    traffic = Traffic(2)
    with traffic.router as router:
        traffic.flow(5)
        router.child.kill()
        router.child.wait()
        done = router.replay()
        same(done.returncode, 0, done.stdout + done.stderr)
        same(done.stdout.count("not up to the engine's end"), 2, "whole logs")
    traffic.close()


@case
def a_changed_byte_is_found():
    traffic = Traffic(1)
    with traffic.router as router:
        traffic.flow(5)
        router.child.send_signal(signal.SIGTERM)
        router.child.wait(20)
        path = traffic.files()[0]
        same(router.replay(path).returncode, 0, "as it is")
        with open(path, "r+b") as file:
            content = file.read()
            at = content.rindex(b"com.example.alarm")
            file.seek(at)
            file.write(b"C")
        done = router.replay(path)
        same(done.returncode, 1, "changed")
        true("damaged" in done.stdout and "checksum" in done.stderr, done.stdout + done.stderr)
        with open(path, "r+b") as file:
            file.seek(at)
            file.write(b"c")
    traffic.close()


@case
def what_can_t_be_logged_is_told_and_what_is_no_log_is_refused():
    try:
        with Router("systems: {desk: {accept: true}}\n", environment={"INTERTIE_INPUT_LOG": "/nonexistent/inputs"}, replay=False):
            true(False, "it started")
    except AssertionError as words:
        true("INTERTIE_INPUT_LOG: can't make /nonexistent/inputs" in str(words), str(words))
    try:
        with Router("systems: {desk: {accept: true}}\n", environment={"INTERTIE_INPUT_LOG": "x", "INTERTIE_INPUT_LOG_LIMIT": "much"},
                    replay=False):
            true(False, "it started")
    except AssertionError as words:
        true("INTERTIE_INPUT_LOG_LIMIT needs a size" in str(words), str(words))
    with Router("systems: {desk: {accept: true}}\n") as router:
        same(router.replay(router.path).returncode, 1, "a configuration is no log")
        true("this is no input log" in router.replay(router.path).stderr, "words")
        done = router.replay(router.folder.name)
        true(done.returncode == 1 and "no input log" in done.stderr, done.stderr)


@case
def a_limit_ends_the_log_and_not_the_router():
    with Router("listeners: {web: http://127.0.0.1:0}\nsystems: {desk: {accept: true}}\nworkers: 1\n",
                replay=True, environment={"INTERTIE_INPUT_LOG_LIMIT": "100KiB"}) as router:
        for i in range(60):
            same(router.post(event("event", "com.example.x", {"n": "x" * 4000}, target="desk")).status, 202, "an event")
        until(lambda: "input log ended" in router.log(), "the line that says so")
        path = glob.glob(os.path.join(router.inputs, "*"))[0]
        true(os.path.getsize(path) <= 101 * 1024, "the file's size")
        same(router.replay().returncode, 0, "replay up to there")


if __name__ == "__main__":
    main()
