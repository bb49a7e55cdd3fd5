"""Patroni with two members: leader, replication, the death of the server that leads,
switch-over, fail-over. What was committed is never lost."""

import json
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

from driver import PATIENCE_S, check, drive, order, same, until


class Member:
    def __init__(self, number, rest, sql):
        self.name = f"member-{number}"
        self.rest = f"http://127.0.0.1:{rest}"
        self.port = sql

    def call(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.rest + path, data)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read().decode()

    def leads(self):
        """What fail-over asks: 200 for the one that holds the lock, 503 for the others."""
        try:
            self.call("/leader")
            return True
        except (urllib.error.URLError, OSError):
            return False

    def members(self):
        found = json.loads(self.call("/cluster"))["members"]
        return {member["name"]: (member["role"], member["state"]) for member in found}

    def sql(self, text):
        command = ["psql", "-h", "127.0.0.1", "-p", self.port, "-U", "postgres", "-XtA"]
        command += ["-v", "ON_ERROR_STOP=1", "-c", text]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return done.stdout.strip()


ONE = Member(1, *sys.argv[1:3])
TWO = Member(2, *sys.argv[3:5])


class Rows(threading.Thread):
    """Inserts numbers, each until it is committed, at whichever member leads."""

    def __init__(self):
        super().__init__(daemon=True)
        self.committed = 0
        self.over = False

    def run(self):
        while not self.over:
            for member in (ONE, TWO):
                try:
                    text = f"insert into numbers values ({self.committed}) on conflict do nothing"
                    if member.sql("select pg_is_in_recovery()") == "f":
                        member.sql(text)
                        self.committed += 1
                except (RuntimeError, subprocess.TimeoutExpired):
                    time.sleep(0.1)

    def more(self, count):
        target = self.committed + count
        until(f"{count} more rows", lambda: self.committed >= target)


ROWS = Rows()


def streaming(leader):
    """One follows the other by streaming, and has all of it."""
    return leader.sql(
        "select count(*) from pg_stat_replication where state = 'streaming'") == "1"


def follows_in_step(member):
    """A commit waits for it, and ZooKeeper says so: it may take the lead."""
    return member.members()[member.name][0] == "sync_standby"


def begin():
    order("start member-1")
    until("member-1 to lead", ONE.leads)
    order("start member-2")
    until("member-2 to follow", lambda: streaming(ONE))
    ONE.sql("alter system set synchronous_commit = on")
    ONE.sql("create table numbers (number int primary key)")
    ROWS.start()
    ROWS.more(20)


def death():
    timeline = ONE.sql("select timeline_id from pg_control_checkpoint()")
    order("kill-leader")
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        ROWS.more(5)
        assert not TWO.leads(), "the lead has moved"
    order("revive")
    ROWS.more(20)
    assert ONE.leads(), "the lead was lost"
    same(timeline, ONE.sql("select timeline_id from pg_control_checkpoint()"))
    until("both members", lambda: len(ONE.members()) == 2)


def settings():
    """The configuration of the cluster lies in ZooKeeper and reaches both."""
    request = urllib.request.Request(
        ONE.rest + "/config", json.dumps({"loop_wait": 3}).encode(), method="PATCH")
    urllib.request.urlopen(request, timeout=30).read()
    for member in (ONE, TWO):
        until("the setting", lambda: json.loads(member.call("/config"))["loop_wait"] == 3)


def synchronous():
    """From here on a commit waits for the follower, so that a fail-over loses nothing."""
    request = urllib.request.Request(
        ONE.rest + "/config", json.dumps({"synchronous_mode": True}).encode(), method="PATCH")
    urllib.request.urlopen(request, timeout=30).read()
    until("a synchronous follower", lambda: follows_in_step(TWO))


def switch_over():
    ONE.call("/switchover", {"leader": ONE.name, "candidate": TWO.name})
    until("member-2 to lead", TWO.leads)
    until("member-1 to follow", lambda: streaming(TWO))
    until("a synchronous follower", lambda: follows_in_step(ONE))
    ROWS.more(20)


def fail_over():
    order("kill member-2")
    until("member-1 to lead", ONE.leads)
    ROWS.more(20)


def fail_over_back():
    order("start member-2")
    until("member-2 to follow", lambda: streaming(ONE))
    until("a synchronous follower", lambda: follows_in_step(TWO))
    order("kill member-1")
    order("kill-leader")
    until("member-2 to lead", TWO.leads)
    ROWS.more(20)
    order("revive")
    order("start member-1")
    until("member-1 to follow", lambda: streaming(TWO))


def stock():
    ROWS.over = True
    ROWS.join(PATIENCE_S)
    expected = f"{ROWS.committed}|{ROWS.committed - 1}"
    for member in (TWO, ONE):
        until(f"all rows at {member.name}", lambda: member.sql(
            "select count(*), max(number) from numbers") == expected)


def checks():
    check("one member leads, the other follows", begin)
    check("the leader dies, the lead stays where it is and rows go on", death)
    check("the cluster's settings reach both members", settings)
    check("the follower becomes synchronous", synchronous)
    check("a switch-over", switch_over)
    check("a fail-over: the leading member dies", fail_over)
    check("a fail-over while the leading server dies", fail_over_back)
    check("every committed row is at both members", stock)
    order("stop member-1")
    order("stop member-2")


drive(checks)
