#!/usr/bin/env python3
"""Reload, drain and stop while four workers are busy: nothing that was accepted is lost, and the counts add up. Under the
thread sanitizer a report of it fails the case."""
import json
import random
import signal
import time

from kit import DatagramSystem, Router, case, main, reply_to, same, true, until
from traffic import (Churn, DatagramSender, HttpSender, LineSender, Receiver, Scraper, Session, StreamSender, fresh, shown,
                     sum_of)

BASE = """workers: {workers}
log: {{level: info, format: json}}
policies: {{default: {{limits: {{queue: {{messages: 300}}}}}}}}
listeners:
  web: http://127.0.0.1:0
  stream: tcp://127.0.0.1:0
  ticks: udp://127.0.0.1:0
{listeners}
systems:
  pricing: {{endpoints: {{one: "tcp://127.0.0.1:{pricing}"{endpoint}}}}}
  lamp: udp://127.0.0.1:{lamp}
  desk: {{accept: {{sessions: 8}}}}
{systems}
routes:
{routes}
  work: {{match: {{type: com.example.work}}, to: desk}}
  prices: {{match: {{type: com.example.price}}, to: pricing}}
  alarms: {{match: {{type: com.example.alarm}}, to: lamp}}
drain: {{grace: 20s}}
"""


class World:
    """A router with four workers, every kind of sender and receiver."""

    def __init__(self, workers=4):
        self.pricing = Receiver(lambda got: reply_to(got, {"eur": 1}) if got["messagetype"] == "query" else None)
        self.second = Receiver(self.pricing.answer)
        self.lamp = DatagramSystem()
        self.workers = workers
        self.router = Router(self.text())
        self.ports = dict(self.router.ports)
        self.senders, self.others, self.sessions = [], [], []

    def text(self, listeners="", systems="", endpoint=False, routes=""):
        more = f', two: "tcp://127.0.0.1:{self.second.port}"' if endpoint else ""
        return BASE.format(workers=self.workers, listeners=listeners, systems=systems, endpoint=more, routes=routes,
                           pricing=self.pricing.port, lamp=self.lamp.port)

    def begin(self, **pace):
        self.sessions = [Session(self.ports["stream"], "desk") for _ in range(3)]
        until(lambda: self.router.system("desk")["sessions"] == 3, "the sessions are known everywhere")
        web, stream, ticks = (lambda name=name: self.ports[name] for name in ("web", "stream", "ticks"))
        work, price = (lambda type_=type_: fresh("event", type_) for type_ in ("com.example.work", "com.example.price"))
        keyed = lambda: fresh("event", "com.example.work", partitionkey=f"k{random.randrange(100)}")
        query = lambda: fresh("query", "com.example.price")
        self.senders = [
            HttpSender(web, work, **pace), HttpSender(web, query, **pace),
            StreamSender(stream, price, **pace), StreamSender(stream, keyed, **pace),
            LineSender(stream, work, query, **pace), LineSender(stream, price, query, **pace),
        ]
        self.work = [self.senders[i] for i in (0, 3, 4)]
        self.others = [DatagramSender(ticks, lambda: fresh("event", "com.example.alarm"), pace=0.005),
                       Churn(lambda: [self.ports["web"], self.ports["stream"]]), Scraper(self.router.admin)]
        for sender in self.senders + self.others:
            sender.start()
        until(lambda: all(len(sender.accepted) > 20 for sender in self.senders), "all senders are served", 60)

    def stop_senders(self):
        for sender in self.senders + self.others:
            sender.stopping = True
        for sender in self.senders + self.others:
            sender.stop()
            same(sender.trouble, [], f"trouble of {type(sender).__name__}")

    def delivered(self):
        counts = {}
        for receiver in [self.pricing, self.second, *self.sessions]:
            for name, count in receiver.counts().items():
                counts[name] = counts.get(name, 0) + count
        return counts

    def rest(self):
        """Nothing is under way any more."""
        def quiet():
            messages = self.router.status()["messages"]
            return messages["held"] == messages["in_flight"] == messages["waiting"] == 0
        try:
            until(quiet, "all is delivered", 60)
        except AssertionError as why:
            raise AssertionError(f"{why}: {json.dumps(self.router.status())}") from why

    def adds_up(self):
        """What came in has ended, each one once."""
        messages = self.router.status()["messages"]
        ended = sum(sum(reasons.values()) for reasons in messages["endings"].values())
        # What could not be read as a message was never received; a reply was, and is part of its request's delivery.
        same(ended, messages["received"] + messages["invalid"] - messages["endings"]["replied"].get("ok", 0), f"{messages}")

    def close(self):
        for session in self.sessions:
            session.close()
            same(session.trouble, [], "trouble of a session")
        self.pricing.close()
        self.second.close()
        self.lamp.close()

    def reload(self, text):
        """Again while older configurations are still in use."""
        self.router.write(self.router.head + text)
        end = time.monotonic() + 60
        while True:
            reply = self.router.http("POST", "/api/v1/reload", "", port=self.router.admin)
            if reply.status == 200:
                return reply.body
            true(b"older configurations" in reply.body and time.monotonic() < end, f"reload: {reply.body}")
            time.sleep(0.2)


def nothing_is_lost(world, may_be_refused=lambda why: False):
    accepted, delivered = sum_of(world.senders, "accepted"), world.delivered()
    refused = {name: why for sender in world.senders for name, why in sender.refused.items() if not may_be_refused(why)}
    same(refused, {}, "refused")
    missing = {name for name in accepted if name not in delivered}
    same(missing, set(), f"accepted and never delivered, {shown(missing)} of {len(accepted)}")
    twice = {name for name, count in delivered.items() if count > 1}
    same(twice, set(), f"delivered twice, {shown(twice)}")
    return accepted


@case
def twenty_reloads_under_load_lose_nothing():
    world = World()
    with world.router as router:
        world.begin()
        before = len(sum_of(world.senders, "accepted"))
        variants = [
            world.text(systems="  other: {accept: true}"),
            world.text(listeners="  second: http://127.0.0.1:0", endpoint=True),
            world.text(listeners="  third: {url: tcp://127.0.0.1:0, limits: {message: 64KiB}}",
                       routes="  other: {match: {type: com.example.other}, to: desk}"),
            world.text(),
        ]
        for i in range(20):
            world.reload(variants[i % len(variants)])
            time.sleep(0.05)
        same(json.loads(router.http("GET", "/api/v1/status", port=router.admin).body)["state"], "ready", "state")
        world.stop_senders()
        world.rest()
        accepted = nothing_is_lost(world)
        true(len(accepted) > before, "traffic went on")
        same({name for sender in world.senders for name in sender.unknown}, set(), "never answered")
        world.adds_up()
        until(lambda: router.log().count('"reloaded"') == 20, "twenty lines about it")
        world.close()


@case
def listeners_that_change_and_systems_that_go_are_told_and_counted():
    world = World()
    with world.router as router:
        gone = world.text(listeners="  extra: http://127.0.0.1:0", systems="  gone: {accept: true}",
                          routes="  gone: {match: {type: com.example.gone}, to: gone}")
        world.begin()
        for i in range(5):
            world.reload(gone)
            extra = {each["name"]: each["port"] for each in router.status()["listeners"]}["extra"]
            held = HttpSender(lambda: extra, lambda: fresh("event", "com.example.gone"))
            held.start()
            until(lambda: len(held.accepted) > 30, "some are held")
            world.reload(world.text())
            held.stopping = True
            held.stop()
            removed = router.ended("dead", "system-removed")
            # Without an answer: its connection was cut by the listener's end, and it may have been taken or not.
            true(len(held.accepted) <= removed - world_removed(world) <= len(held.accepted) + len(held.unknown),
                 f"round {i}: {len(held.accepted)} accepted, {len(held.unknown)} unknown, {removed} removed, {held.refused}")
            world.removed = removed
        world.stop_senders()
        world.rest()
        nothing_is_lost(world)
        world.adds_up()
        world.close()


def world_removed(world):
    return getattr(world, "removed", 0)


def drain(world, end):
    """Stops while all senders are busy. What was accepted is delivered, or told dead in the log."""
    router = world.router
    world.begin()
    time.sleep(0.3)
    end()
    code = router.child.wait(60)
    world.stop_senders()
    for session in world.sessions:
        session.thread.join(20)
    time.sleep(0.1)  # the dialled systems read to the end
    log = [json.loads(line) for line in router.log().splitlines() if line.startswith("{")]
    dead = sum(line.get("repeated", 1) for line in log if line["msg"] == "message dead")
    stopped = next(line for line in log if line["msg"] == "stopped")
    return code, dead, stopped


@case
def a_drain_under_load_delivers_what_was_accepted():
    world = World()
    with world.router as router:
        code, dead, stopped = drain(world, lambda: router.child.send_signal(signal.SIGTERM))
        same((code, dead, stopped["forced"], stopped["dead"]), (0, 0, False, 0), "the end")
        # 503: it said so before it took it. Stream v1 and JSON lines: shutdown, target-unavailable.
        nothing_is_lost(world, lambda why: True)
        refusals = {str(why)[:60] for sender in world.senders for why in sender.refused.values()}
        true(all("503" in why or "105" in why or "shutdown" in why or "unavailable" in why for why in refusals), f"{refusals}")
        world.close()


@case
def keyed_messages_for_nobody_do_not_delay_the_end():
    world = World()
    with world.router as router:
        for i in range(30):
            same(router.post(fresh("event", "com.example.work", partitionkey=f"k{i}")).status, 202, "held")
        start = time.monotonic()
        router.child.send_signal(signal.SIGTERM)
        same(router.child.wait(60), 0, "exit code")
        true(time.monotonic() - start < 10, "long before the grace is over")
        log = [json.loads(line) for line in router.log().splitlines() if line.startswith("{")]
        same(sum(line["msg"] == "message dead" and line["reason"] == "shutdown" for line in log), 30, "each is told")
        world.close()


@case
def a_forced_stop_under_load_counts_what_it_cuts():
    world = World()
    with world.router as router:
        def end():
            router.child.send_signal(signal.SIGTERM)
            router.child.send_signal(signal.SIGINT)
        code, dead, stopped = drain(world, end)
        true((code, stopped["forced"]) in ((3, True), (0, False)), f"exit {code}, {stopped} {router.log()[-4000:]}")
        # What goes to the sessions is acknowledged. (JSON lines are delivered when the kernel has them: what a cut takes
        # from there nobody can count.)
        delivered = world.delivered()
        missing = {name for name in sum_of(world.work, "accepted") if name not in delivered}
        true(len(missing) <= dead, f"{shown(missing)} missing, {dead} dead")
        world.close()


if __name__ == "__main__":
    main()
