#!/usr/bin/env python3
"""Running a router from the command line: run, start, stop, restart, reload, drain, status, signals. Prints TAP."""
import json
import os
import re
import signal
import socket
import subprocess
import threading

from cli_kit import PATIENCE, PROGRAM, UUID, Folder, Lines, Router, case, closed_port, environment, equal, intertie, main, matches, until

BASE = """listeners: {web: http://127.0.0.1:0, stream: tcp://127.0.0.1:0}
systems: {desk: {accept: true}}
routes: {rest: {match: {}, to: desk}}
"""


class Background(Folder):
    """A configuration for `start`, on a fixed admin port that was free; what was started is ended."""

    def __init__(self, config=BASE):
        super().__init__()
        self.port = closed_port()
        head = f"run_dir: {self.path}/run\nadmin: http://127.0.0.1:{self.port}\nlog: {{file: {self.path}/log}}\n"
        self.write("intertie.yaml", head + config)

    def __call__(self, *arguments, **options):
        return intertie(*arguments, cwd=self.path, **options)

    def pid(self):
        with open(self.file("run/intertie.pid"), encoding="ascii") as file:
            return int(file.read())

    def __exit__(self, *_):
        self("stop", "--now")
        super().__exit__()


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        return ") Z " in file.read()


@case
def run_says_in_one_line_that_it_is_ready_and_where():
    with Router(BASE + "workers: 2\n") as router:
        matches(router.ready, r"\Aintertie \d+\.\d+\.\d+  ready in \d+ ms  pid \d+  2 workers  http://127\.0\.0\.1:\d+"
                              r"  tcp://127\.0\.0\.1:\d+  admin http://127\.0\.0\.1:\d+\n\Z")
        equal(int(re.search(r"pid (\d+)", router.ready).group(1)), router.process.pid)
        assert ":0" not in router.ready.replace(":0.", ""), router.ready


@case
def run_quiet_says_nothing():
    with Folder({"a.yaml": BASE}) as folder:
        process = subprocess.Popen([PROGRAM, "run", "-q", "--set", f"run_dir={folder.path}/run", "--set", "admin=http://127.0.0.1:0",
                                    folder.file("a.yaml")], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment())
        try:
            until(lambda: os.path.exists(folder.file("run/intertie.sock")), "its socket")
            until(lambda: intertie("status", "--admin", f"unix:{folder.path}/run/intertie.sock").code == 0, "ready")
            process.terminate()
            equal(process.communicate(timeout=PATIENCE)[0], b"")
            equal(process.returncode, 0)
        finally:
            process.kill()


@case
def term_and_int_end_it_in_good_order():
    for number in (signal.SIGTERM, signal.SIGINT):
        with Router(BASE) as router:
            router.process.send_signal(number)
            equal(router.wait(), 0)
            matches(router.log(), "stopped")
            assert not os.path.exists(router.folder.file("run/intertie.pid"))
            assert not os.path.exists(router.folder.file("run/intertie.sock"))


@case
def a_second_signal_forces_the_end():
    with Lines(lambda event: None) as silent, Router(BASE.replace("desk: {", f"silent: {silent.url}, desk: {{")) as router:
        asking = subprocess.Popen([PROGRAM, "call", "-c", router.config, "--to", "silent", "--type", "a"], env=environment(),
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        until(lambda: silent.seen, "the question asked")
        router.process.send_signal(signal.SIGTERM)
        until(lambda: "draining" in router.log(), "draining")
        router.process.send_signal(signal.SIGTERM)
        equal(router.wait(), 3)
        asking.communicate(timeout=PATIENCE)
        assert asking.returncode not in (0, 5), asking.returncode


@case
def grace_over_is_a_forced_end():
    with Lines(lambda event: None) as silent, Router("drain: {grace: 100ms}\n" + BASE.replace("desk: {", f"silent: {silent.url}, desk: {{")) as router:
        asking = subprocess.Popen([PROGRAM, "call", "-c", router.config, "--to", "silent", "--type", "a"], env=environment(),
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: silent.seen, "the question asked")
        router.process.send_signal(signal.SIGTERM)
        equal(router.wait(), 3)
        asking.wait(PATIENCE)


@case
def a_port_in_use_is_a_failure_that_names_it():
    with socket.create_server(("127.0.0.1", 0)) as other, Folder() as folder:
        port = other.getsockname()[1]
        folder.write("a.yaml", f"run_dir: {folder.path}/run\nadmin: http://127.0.0.1:0\nlisteners: {{web: http://127.0.0.1:{port}}}\nsystems: {{a: {{accept: true}}}}\n")
        for command in ("run", "start"):
            done = intertie(command, folder.file("a.yaml")).exits(1)
            matches(done.err, f"{port}")
            equal(done.out, "")
        equal(intertie("run", "--json", folder.file("a.yaml")).exits(1).json()["reason"], "address-in-use")


@case
def start_returns_when_ready_and_a_second_one_is_told_who_runs():
    with Background() as host:
        done = host("start").exits(0)
        matches(done.out, r"\Aintertie \S+  ready in \d+ ms  pid \d+  .*admin http://127\.0\.0\.1:\d+\n\Z")
        pid = int(re.search(r"pid (\d+)", done.out).group(1))
        equal(pid, host.pid())
        host("status").exits(0)
        again = host("start").exits(1)
        matches(again.err, rf"already running, pid {pid}\n")
        matches(host("run").exits(1).err, rf"already running, pid {pid}\n")
        host("stop").exits(0)
        until(lambda: gone(pid), "the process gone")
        host("status").exits(69)


@case
def stop_waits_for_the_end_and_says_how_long_it_took():
    with Router(BASE) as router:
        ended = threading.Thread(target=router.wait)
        ended.start()
        done = router("stop").exits(0)
        matches(done.err, r"\Adraining: 0 in flight \.\. stopped after \d+\.\d s\n\Z")
        equal(done.out, "")
        ended.join(PATIENCE)
        equal(router.process.returncode, 0)
    with Router(BASE) as router:
        ended = threading.Thread(target=router.wait)
        ended.start()
        document = router("stop", "--json").exits(0).json()
        equal((document["stopped"], type(document["seconds"])), (True, float))
        ended.join(PATIENCE)


@case
def stop_now_cuts_and_says_so():
    with Lines(lambda event: None) as silent, Router(BASE.replace("desk: {", f"silent: {silent.url}, desk: {{")) as router:
        asking = subprocess.Popen([PROGRAM, "call", "-c", router.config, "--to", "silent", "--type", "a"], env=environment(),
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: silent.seen, "the question asked")
        ended = threading.Thread(target=router.wait)
        ended.start()
        router("stop", "--now").exits(3)
        ended.join(PATIENCE)
        equal(router.process.returncode, 3)
        asking.wait(PATIENCE)


@case
def restart_starts_another_process_and_starts_where_none_runs():
    with Background() as host:
        host("restart").exits(0)
        first = host.pid()
        done = host("restart").exits(0)
        second = host.pid()
        assert first != second, (first, second)
        matches(done.out, rf"ready in \d+ ms  pid {second} ")
        until(lambda: gone(first), "the first gone")
        host("status").exits(0)


@case
def status_is_a_table_or_the_document_of_the_router():
    with Router(BASE + "environments: {production: {}}\n", "-e", "production") as router:
        done = router("status").exits(0)
        matches(done.out, rf"\Aintertie \S+  ready  pid {router.process.pid}  up \d+s  \d+ workers?  config \w+ \(production\)\n"
                          r"SYSTEM +STATE +ENDPOINTS +HELD +IN FLIGHT +OUT/s +p50 +p99\ndesk +offline +0 sessions +0 +0 +0 +- +-\n\Z")
        equal(done.err, "")
        document = router("status", "--json").exits(0).json()
        for member in ("name", "version", "state", "pid", "uptime_seconds", "workers", "config", "environment", "messages", "systems", "listeners"):
            assert member in document, member
        equal((document["state"], document["pid"], document["environment"]), ("ready", router.process.pid, "production"))


@case
def status_finds_the_router_by_each_way():
    with Router(BASE) as router:
        admin = re.search(r"admin (http://\S+)", router.ready).group(1)
        pipe = f"unix:{router.folder.path}/run/intertie.sock"
        for place in (admin, pipe):
            equal(intertie("status", "--admin", place, "--json").exits(0).json()["pid"], router.process.pid)
            equal(intertie("status", "--json", env={"INTERTIE_ADMIN": place}).exits(0).json()["pid"], router.process.pid)
        equal(intertie("status", "--json", env={"INTERTIE_CONFIG": router.config}).exits(0).json()["pid"], router.process.pid)
        matches(router("status", "-v").exits(0).err, "asking " + re.escape(pipe))


@case
def drain_leaves_it_up_but_not_ready():
    with Router(BASE) as router:
        equal(router("drain", "-q").exits(0).err, "")
        until(lambda: router("status").code == 1, "not ready")
        equal(router.status()["state"], "draining")
        assert router.process.poll() is None
        equal(router("drain", "--json").exits(0).json(), {"state": "draining"})
        ended = threading.Thread(target=router.wait)
        ended.start()
        router("stop").exits(0)
        ended.join(PATIENCE)


def rewrite(router, text):
    with open(router.config, encoding="utf-8") as file:
        head = "".join(file.readlines()[:2])
    router.folder.write("intertie.yaml", head + text)


@case
def reload_takes_what_has_changed():
    with Router(BASE) as router:
        matches(router("reload").exits(0).err, "nothing has changed")
        rewrite(router, BASE.replace("desk: {accept: true}", "desk: {accept: true}, kiosk: {accept: true}"))
        tried = router("reload", "--dry-run").exits(0)
        matches(tried.out, "kiosk")
        equal([s["name"] for s in router.status()["systems"]], ["desk"])
        done = router("reload").exits(0)
        equal(done.out, tried.out)
        equal([s["name"] for s in router.status()["systems"]], ["desk", "kiosk"])
        rewrite(router, BASE)
        document = router("reload", "--json").exits(0).json()
        equal(document["result"], "reloaded")
        matches(document["changes"], "kiosk")


@case
def reload_of_a_mistake_changes_nothing_and_shows_it():
    with Router(BASE) as router:
        admin = re.search(r"admin (http://\S+)", router.ready).group(1)
        before = router.status()["config"]
        rewrite(router, BASE.replace("to: desk", "to: dsek"))
        for arguments in (["reload"], ["reload", "--dry-run"]):
            done = intertie(*arguments, "--admin", admin).exits(78)
            matches(done.err, r"intertie\.yaml:\d+:\d+: error: routes\.rest\.to: no system `dsek`; did you mean `desk`")
            equal(done.out, "")
        report = intertie("reload", "--json", "--admin", admin).exits(78).json()
        equal(report["errors"][0]["nearest"], "desk")
        equal(json.loads(intertie("status", "--json", "--admin", admin).out)["config"], before)
        rewrite(router, BASE)
        router("reload").exits(0)


@case
def hup_reloads_and_usr1_reopens_the_log():
    with Router(BASE) as router:
        rewrite(router, BASE.replace("desk: {accept: true}", "desk: {accept: true}, kiosk: {accept: true}"))
        router.process.send_signal(signal.SIGHUP)
        until(lambda: len(router.status()["systems"]) == 2, "reloaded")
    with Background() as host:
        host("start").exits(0)
        os.rename(host.file("log"), host.file("log.1"))
        os.kill(host.pid(), signal.SIGUSR1)
        until(lambda: os.path.exists(host.file("log")), "a new log")


@case
def an_ending_that_is_no_success_has_a_log_line_with_the_receipt():
    with Router("log: {format: json}\n" + BASE) as router:
        receipt = router("send", "--to", "desk", "--type", "a", "--ttl", "50ms").exits(0).out.split()[1]
        matches(receipt, rf"\A{UUID}\Z")
        until(lambda: receipt in router.log(), "its line")
        line = next(json.loads(x) for x in router.log().splitlines() if receipt in x)
        equal((line["msg"], line["reason"], line["level"]), ("message expired", "expired", "info"))


@case
def debug_logs_more():
    with Router("log: {format: json, level: error}\n" + BASE, "--debug") as router:
        router.status()
        until(lambda: '"level":"debug"' in router.log(), "a debug line")


main()
