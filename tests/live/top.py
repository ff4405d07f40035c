#!/usr/bin/env python3
"""`intertie top` in a terminal of its own: what it shows, and that it leaves the terminal as it was, however it ends."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

from kit import PROGRAM, Router, case, cases, main, same, true, until
from operate import Site, admin, config_of, say

cases.clear()  # those of the other file

ENTER, LEAVE = b"\x1b[?1049h\x1b[?25l", b"\x1b[?25h\x1b[?1049l"


class Terminal:
    """A pseudo terminal with `intertie top` in it."""

    def __init__(self, router, *arguments, columns=120, rows=30, term="xterm", **environment):
        self.seen = b""
        self.ours, self.theirs = pty.openpty()
        self.size(columns, rows)
        self.before = termios.tcgetattr(self.theirs)
        environment = dict(os.environ, INTERTIE_ADMIN=f"http://127.0.0.1:{router.admin}", TERM=term, **environment)
        if "NO_COLOR" not in environment or environment["NO_COLOR"] is None:
            environment.pop("NO_COLOR", None)
        self.child = subprocess.Popen([PROGRAM, "top", "--interval", "100ms", *arguments], stdin=self.theirs, stdout=self.theirs,
                                      stderr=subprocess.PIPE, env=environment, start_new_session=True, preexec_fn=self.control)

    def control(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            signal.signal(number, signal.SIG_DFL)  # who runs the tests may ignore some, as nohup does
        fcntl.ioctl(self.theirs, termios.TIOCSCTTY, 0)

    def size(self, columns, rows):
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self):
        while select.select([self.ours], [], [], 0.02)[0]:
            try:
                self.seen += os.read(self.ours, 65536)
            except OSError:
                return self.seen
        return self.seen

    def frame(self):
        """The lines of the last whole one, without what steers the terminal."""
        whole = re.findall(rb"\x1b\[H((?:(?!\x1b\[H).)*?)\x1b\[J", self.read(), re.S)
        text = re.sub(rb"\x1b\[[?0-9;]*[a-zA-Z]", b"", whole[-1] if whole else b"")
        return re.split(r"\r+\n", text.decode())

    def shows(self, pattern, seconds=10):
        until(lambda: re.search(pattern, "\n".join(self.frame()), re.M), pattern, seconds)

    def key(self, text):
        os.write(self.ours, text.encode())

    def ends(self, code):
        until(lambda: self.read() is not None and self.child.poll() is not None, "it ends")
        said = self.child.stderr.read().decode()
        self.child.stderr.close()
        same(self.child.returncode, code, said)
        self.read()
        same(termios.tcgetattr(self.theirs), self.before, "the terminal is as it was")
        same(self.seen.count(ENTER), self.seen.count(LEAVE), "its screen too")
        if ENTER in self.seen:
            true(self.seen.rstrip().endswith(LEAVE), self.seen[-200:])
        os.close(self.ours)
        os.close(self.theirs)
        return said


@case
def the_table_is_live_and_q_ends_it():
    a, b = Site(), Site()
    with Router(config_of({"a": a.port, "b": b.port})) as router:
        terminal = Terminal(router)
        terminal.shows(r"^far +up +2/2 +0 +0 +0 ")
        true(termios.tcgetattr(terminal.theirs)[3] & (termios.ECHO | termios.ICANON) == 0, "keys come at once")
        terminal.shows(r"^in 0/s  out 0/s  cpu \d+%  connections \d+  held 0  in flight 0")
        admin(router, "PUT", "b", {"state": "down"})
        terminal.shows(r"^far +degraded +1/2 .*  b down .*: set by hand")
        stop = time.monotonic() + 1
        while time.monotonic() < stop:
            say(router, 1)
        terminal.shows(r"out [1-9]\d*(\.\d)?/s")
        true(b"\x1b[2J" not in terminal.seen, "nothing is wiped before it is written anew")
        terminal.key("x")
        terminal.key("q")
        same(terminal.ends(0), "")
    a.close()
    b.close()


@case
def each_signal_leaves_the_terminal_as_it_was():
    a = Site()
    with Router(config_of({"a": a.port})) as router:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            terminal = Terminal(router)
            terminal.shows("^far ")
            terminal.child.send_signal(number)
            terminal.ends(-number)
        terminal = Terminal(router)
        terminal.shows("^far ")
        terminal.key("\x03")  # Ctrl-C
        terminal.ends(-signal.SIGINT)
    a.close()


@case
def it_stops_and_goes_on():
    a = Site()
    with Router(config_of({"a": a.port})) as router:
        terminal = Terminal(router)
        terminal.shows("^far ")
        terminal.child.send_signal(signal.SIGTSTP)
        until(lambda: os.waitpid(terminal.child.pid, os.WUNTRACED | os.WNOHANG)[1] & 0xff == 0x7f, "it has stopped")
        terminal.read()
        same(termios.tcgetattr(terminal.theirs), terminal.before, "the shell has its terminal")
        true(terminal.seen.endswith(LEAVE), terminal.seen[-100:])
        before = len(terminal.seen)
        terminal.child.send_signal(signal.SIGCONT)
        until(lambda: ENTER in terminal.read()[before:], "it is back")
        terminal.shows("^far ")
        terminal.key("q")
        terminal.ends(0)
    a.close()


@case
def it_fits_whatever_size_there_is():
    sites = {f"s{i}": 9 for i in range(12)}
    config = config_of(sites).rstrip()[:-1] + "".join(f", desk{i}: {{accept: true}}" for i in range(30)) + "}\n"
    with Router(config) as router:
        for name in sites:
            admin(router, "PUT", name, {"state": "down"})
        terminal = Terminal(router, columns=200, rows=100)
        terminal.shows("^desk29 ")
        terminal.shows(r"^ +s11 down")
        for columns, rows in ((40, 10), (81, 25), (20, 5), (200, 100), (1, 1)):
            terminal.size(columns, rows)
            terminal.child.send_signal(signal.SIGWINCH)
            until(lambda: max(len(line) for line in terminal.frame()) <= columns, f"lines of {columns}: {[l for l in terminal.frame() if len(l) > columns][:3]}")
            if rows >= 6:
                until(lambda: len(terminal.frame()) <= rows, f"{rows} of them")
        terminal.size(100, 10)
        terminal.shows(r"^and \d+ more lines$")
        terminal.key("\x1b[B\x1b[B\x1b[B" + "j" * 15)
        terminal.shows("^desk")
        terminal.key("\x1b[A" + "k" * 30)
        terminal.shows("^far ")
        terminal.key("Q")
        terminal.ends(0)


@case
def colours_are_left_out_where_nobody_wants_them():
    a = Site()
    with Router(config_of({"a": a.port})) as router:
        for wanted, environment in ((True, {}), (True, {"NO_COLOR": ""}), (False, {"NO_COLOR": "1"})):
            terminal = Terminal(router, **environment)
            terminal.shows("^far ")
            terminal.key("q")
            terminal.ends(0)
            same(b"\x1b[32mup" in terminal.seen, wanted, environment)
            same(re.search(rb"\x1b\[3\d", terminal.seen) is not None, wanted, environment)
    a.close()


@case
def without_a_terminal_it_says_what_to_do_instead():
    a = Site()
    with Router(config_of({"a": a.port})) as router:
        done = router.intertie("top")
        same([done.returncode, done.stdout], [1, ""])
        true("no terminal" in done.stderr and "status --watch" in done.stderr, done.stderr)
        true("dumb" in Terminal(router, term="dumb").ends(1), "TERM")
        done = router.intertie("top", "--json", "--count", "3", "--interval", "100ms")
        same([done.returncode, done.stderr, done.stdout.count("\n")], [0, "", 3])
        same(router.intertie("top", "--interval", "1ms").returncode, 2)
        terminal = Terminal(router, "--count", "2")
        terminal.ends(0)
        done = router.intertie("status", "--watch", "--count", "2")
        same([done.returncode, done.stdout.count("SYSTEM ")], [0, 2])
    a.close()
    same(subprocess.run([PROGRAM, "top", "--admin", "http://127.0.0.1:1"], capture_output=True, check=False).returncode, 69)


@case
def it_goes_on_when_the_router_has_gone():
    a = Site()
    with Router(config_of({"a": a.port})) as router:
        terminal = Terminal(router)
        terminal.shows("^far ")
        same(router.intertie("stop").returncode, 0)
        router.child.wait(20)
        terminal.shows(r"^not running ")
        terminal.shows(r"^far ")  # what was known last
        terminal.key("q")
        terminal.ends(0)
    a.close()


if __name__ == "__main__":
    main()
