"""ClickHouse with two replicas of a table: what is inserted at one is read at the other, also
while the server that leads dies."""

import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from driver import PATIENCE_S, check, drive, order, same, until


class Replica:
    def __init__(self, number, port):
        self.name = f"server-{number}"
        self.url = f"http://127.0.0.1:{port}/"

    def ask(self, text, user="default"):
        url = self.url + "?" + urllib.parse.urlencode({"user": user})
        try:
            with urllib.request.urlopen(url, text.encode(), timeout=90) as answer:
                return answer.read().decode().strip()
        except urllib.error.HTTPError as error:
            raise RuntimeError(error.read().decode()) from error


ONE = Replica(1, sys.argv[1])
TWO = Replica(2, sys.argv[2])
BOTH = (ONE, TWO)


class Rows(threading.Thread):
    """Inserts blocks of numbers at both replicas in turn, each until it is taken. A repeated
    block is the same block to ClickHouse, and counts once."""

    BLOCK = 10

    def __init__(self):
        super().__init__(daemon=True)
        self.taken = 0
        self.over = False

    def run(self):
        while not self.over:
            text = f"insert into numbers (x) select number + {self.taken * self.BLOCK}"
            try:
                BOTH[self.taken % 2].ask(text + f" from numbers({self.BLOCK})")
                self.taken += 1
            except (RuntimeError, OSError):
                time.sleep(0.1)
            time.sleep(0.02)

    def more(self, count):
        target = self.taken + count
        until(f"{count} more blocks", lambda: self.taken >= target)


ROWS = Rows()


def begin():
    for replica in BOTH:
        order("start " + replica.name)
    for replica in BOTH:
        until(replica.name, lambda: replica.ask("select 1") == "1")
        replica.ask(
            "create table numbers (x UInt32) "
            "engine = ReplicatedMergeTree('/clickhouse/numbers', '{replica}') order by x")
    ONE.ask("insert into numbers (x) select number + 1000000 from numbers(100)")
    until("the rows at the other", lambda: TWO.ask("select count() from numbers") == "100")
    ONE.ask("insert into numbers (x) select number + 1000000 from numbers(100)")
    same("100", ONE.ask("select count() from numbers"))
    same("r1\nr2", TWO.ask(
        "select name from system.zookeeper where path = '/clickhouse/numbers/replicas' "
        "order by name"))
    ROWS.start()
    ROWS.more(10)


def death():
    order("kill-leader")
    ROWS.more(20)
    order("revive")
    ROWS.more(20)


def column():
    """Before any connection is lost: this release does not alter a table after that, on any
    servers."""
    ONE.ask("alter table numbers add column y UInt8 default 7")
    until("the column", lambda: "y" in TWO.ask("describe table numbers"))


def changes():
    # Refused while no replica is the one that decides on merges.
    until("the merge", lambda: TWO.ask("optimize table numbers final") == "")
    ONE.ask("create table dropped as numbers "
            "engine = ReplicatedMergeTree('/clickhouse/dropped', '{replica}') order by x")
    TWO.ask("create table dropped as numbers "
            "engine = ReplicatedMergeTree('/clickhouse/dropped', '{replica}') order by x")
    ONE.ask("insert into dropped (x) values (1)", user="both")
    same("1", TWO.ask("select count() from dropped"))
    ONE.ask("drop table dropped")
    same("r2", TWO.ask(
        "select name from system.zookeeper where path = '/clickhouse/dropped/replicas'"))
    TWO.ask("drop table dropped")


def kept():
    """Whether it answers. It ends when it is started while no server leads, which with ZooKeeper
    is for some seconds: its service manager starts it again."""
    try:
        return TWO.ask("select 1") == "1"
    except urllib.error.URLError:
        order("keep server-2")
        return False


def replica_dies():
    order("kill server-2")
    for number in range(5):
        ONE.ask(f"insert into numbers (x) values ({2_000_000 + number})")
    order("kill-leader")
    order("start server-2")
    until("server-2", kept)
    until("what it missed", lambda: TWO.ask(
        "select count() from numbers where x >= 2000000") == "5")
    ROWS.more(10)
    order("revive")


def stock():
    ROWS.over = True
    ROWS.join(PATIENCE_S)
    count = ROWS.taken * ROWS.BLOCK
    expected = f"{count}\t{count}\t{count - 1}"
    for replica in BOTH:
        until(f"all rows at {replica.name}", lambda: replica.ask(
            "select count(), uniqExact(x), max(x) from numbers where x < 1000000") == expected)
        same("100\t100", replica.ask(
            "select count(), uniqExact(x) from numbers where x between 1000000 and 1999999"))
        until("an empty queue", lambda: replica.ask(
            "select queue_size, is_readonly, is_session_expired from system.replicas "
            "where table = 'numbers'") == "0\t0\t0")


def checks():
    check("rows inserted at one replica are read at the other, an equal block counts once", begin)
    check("a column is added at both replicas", column)
    check("the leader dies, inserts go on at both replicas", death)
    check("parts are merged, a quorum is met, a table is made and dropped", changes)
    check("a replica dies with the leading server, comes back and gets what it missed",
          replica_dies)
    check("every inserted row is at both replicas, once", stock)
    for replica in BOTH:
        replica.ask("drop table numbers")
    order("stop server-1")
    order("stop server-2")


drive(checks)
