"""kazoo's recipes, as applications use them, and what else only kazoo has.

Exit status 1 when a behaviour fails; an argument runs only those whose title contains it.
"""

import logging
import os
import queue
import sys
import threading
import time

from kazoo.exceptions import LockTimeout, NoNodeError
from kazoo.recipe.barrier import DoubleBarrier

from harness import behaviour, order, raises, run_all, wait_for
from kazoo_clients import Clients, abandon


@behaviour("Lock: one holder at a time, handed over in order")
def lock(clients, root):
    members = [clients() for _ in range(4)]
    holders, most, order_of = [], [], []

    def work(number):
        with members[number].Lock(f"{root}/lock", f"c{number}"):
            holders.append(number)
            most.append(len(holders))
            order_of.append(number)
            time.sleep(0.05)
            holders.remove(number)

    first = members[0].Lock(f"{root}/lock", "first")
    first.acquire()
    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for number, thread in enumerate(threads):
        thread.start()
        wait_for(lambda: len(first.contenders()) == number + 2, "the contender")
    raises(LockTimeout, members[0].Lock(f"{root}/lock").acquire, timeout=0.3)
    first.release()
    for thread in threads:
        thread.join(20)
    assert order_of == [0, 1, 2, 3] and max(most) == 1


@behaviour("Lock: passes on when the holder's session dies")
def lock_of_the_dead(clients, root):
    holder, waiter = clients(timeout=1.5), clients()
    assert holder.Lock(f"{root}/lock").acquire()
    abandon(holder)
    assert waiter.Lock(f"{root}/lock").acquire(timeout=10)


@behaviour("Lock: still held after a broken connection")
def lock_kept(clients, root):
    holder, other = clients(), clients()
    lock = holder.Lock(f"{root}/lock")
    lock.acquire()
    order("drop")
    wait_for(lambda: holder.connected and other.connected, "both clients")
    raises(LockTimeout, other.Lock(f"{root}/lock").acquire, timeout=0.5)
    lock.release()
    assert other.Lock(f"{root}/lock").acquire(timeout=10)


@behaviour("ReadLock, WriteLock and Semaphore")
def other_locks(clients, root):
    one, two, three = clients(), clients(), clients()
    read_one, read_two = one.ReadLock(f"{root}/rw"), two.ReadLock(f"{root}/rw")
    assert read_one.acquire() and read_two.acquire()
    raises(LockTimeout, three.WriteLock(f"{root}/rw").acquire, timeout=0.3)
    read_one.release()
    read_two.release()
    write = three.WriteLock(f"{root}/rw")
    assert write.acquire(timeout=5)
    write.release()
    semaphores = [client.Semaphore(f"{root}/sem", max_leases=2) for client in (one, two, three)]
    assert semaphores[0].acquire() and semaphores[1].acquire()
    assert not semaphores[2].acquire(blocking=False)
    semaphores[0].release()
    assert semaphores[2].acquire(timeout=5)


@behaviour("Election: one leader, the next when it resigns")
def election(clients, root):
    one, two = clients(), clients()
    led = []
    release = threading.Event()

    def lead(name):
        led.append(name)
        if name == "one":
            release.wait(15)

    first = one.Election(f"{root}/election", "one")
    second = two.Election(f"{root}/election", "two")
    threads = [threading.Thread(target=first.run, args=(lead, "one"))]
    threads[0].start()
    wait_for(lambda: led == ["one"], "the first leader")
    threads.append(threading.Thread(target=second.run, args=(lead, "two")))
    threads[1].start()
    wait_for(lambda: first.contenders() == ["one", "two"], "both contenders")
    assert led == ["one"]
    release.set()
    for thread in threads:
        thread.join(15)
    assert led == ["one", "two"]


@behaviour("Barrier and DoubleBarrier")
def barriers(clients, root):
    one, two = clients(), clients()
    barrier = one.Barrier(f"{root}/barrier")
    barrier.create()
    assert not two.Barrier(f"{root}/barrier").wait(0.2)
    passed = threading.Event()
    waiter = threading.Thread(
        target=lambda: two.Barrier(f"{root}/barrier").wait(10) and passed.set()
    )
    waiter.start()
    assert barrier.remove()
    assert passed.wait(10)
    entered = []

    def enter(client, name):
        double = DoubleBarrier(client, f"{root}/double", 2, name)
        double.enter()
        entered.append(name)
        double.leave()

    threads = [threading.Thread(target=enter, args=(one, "one"))]
    threads[0].start()
    wait_for(lambda: two.exists(f"{root}/double"), "the barrier's node")
    wait_for(lambda: len(two.get_children(f"{root}/double")) == 1, "the first to come")
    assert entered == []
    threads.append(threading.Thread(target=enter, args=(two, "two")))
    threads[1].start()
    for thread in threads:
        thread.join(15)
    assert sorted(entered) == ["one", "two"]


@behaviour("Queue and LockingQueue")
def queues(clients, root):
    one, two = clients(), clients()
    producer, consumer = one.Queue(f"{root}/queue"), two.Queue(f"{root}/queue")
    for value in (b"a", b"b", b"c"):
        producer.put(value)
    producer.put(b"first", priority=1)
    assert len(consumer) == 4
    assert [consumer.get() for _ in range(5)] == [b"first", b"a", b"b", b"c", None]
    locking, other = one.LockingQueue(f"{root}/locking"), two.LockingQueue(f"{root}/locking")
    locking.put_all([b"x", b"y"])
    assert locking.get(5) == b"x"
    assert other.get(5) == b"y"
    assert locking.consume() and other.consume()
    assert len(locking) == 0


@behaviour("Counter: no addition is lost between clients")
def counter(clients, root):
    members = [clients() for _ in range(3)]

    def add(client):
        mine = client.Counter(f"{root}/counter", default=0)
        for _ in range(10):
            mine += 1

    threads = [threading.Thread(target=add, args=(client,)) for client in members]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    total = members[0].Counter(f"{root}/counter")
    assert total.value == 30
    total -= 3
    assert total.value == 27


@behaviour("Party: members come and go with their sessions")
def party(clients, root):
    one, two = clients(), clients()
    party = one.Party(f"{root}/party", "one")
    party.join()
    two.Party(f"{root}/party", "two").join()
    assert sorted(party) == ["one", "two"] and len(party) == 2
    two.stop()
    wait_for(lambda: list(party) == ["one"], "the member's end", patience=3)
    shallow = one.ShallowParty(f"{root}/shallow", "me")
    shallow.join()
    assert list(shallow) == ["me"]
    shallow.leave()
    assert len(shallow) == 0


@behaviour("DataWatch: sees creation, every last state, deletion")
def data_watch(clients, root):
    watcher, writer = clients(), clients()
    path, seen = f"{root}/watched", []

    @watcher.DataWatch(path)
    def watch(data, stat, event):
        seen.append((data, stat.version if stat else None, event.type if event else None))

    assert seen == [(None, None, None)]
    writer.create(path, b"0")
    wait_for(lambda: seen[-1] == (b"0", 0, "CREATED"), "the creation")
    writer.set(path, b"1")
    wait_for(lambda: seen[-1] == (b"1", 1, "CHANGED"), "the change")
    for number in range(2, 50):
        writer.set(path, str(number).encode())
    wait_for(lambda: seen[-1][:2] == (b"49", 49), "the last of many changes")
    writer.delete(path)
    wait_for(lambda: seen[-1] == (None, None, "DELETED"), "the deletion")


@behaviour("DataWatch: sees what happened while it was away")
def data_watch_again(clients, root):
    watcher, writer = clients(), clients()
    path, seen = f"{root}/watched", []
    writer.create(path, b"0")

    @watcher.DataWatch(path)
    def watch(data, stat):
        seen.append(data)

    wait_for(lambda: seen == [b"0"], "the first state")
    order("drop")
    writer.retry(writer.set, path, b"1")
    wait_for(lambda: seen[-1] == b"1", "the change")


@behaviour("ChildrenWatch: follows children, also over a broken connection")
def children_watch(clients, root):
    watcher, writer = clients(), clients()
    seen = []

    @watcher.ChildrenWatch(root)
    def watch(children):
        seen.append(sorted(children))

    wait_for(lambda: seen == [[]], "no children")
    writer.create(f"{root}/a")
    wait_for(lambda: seen[-1] == ["a"], "one child")
    for number in range(30):
        writer.create(f"{root}/b{number:02}")
    wait_for(lambda: len(seen[-1]) == 31, "all children")
    order("drop")
    writer.retry(writer.delete, f"{root}/a")
    wait_for(lambda: len(seen[-1]) == 30 and "a" not in seen[-1], "the deletion")


@behaviour("TreeCache follows a subtree")
def tree_cache(clients, root):
    from kazoo.recipe.cache import TreeCache

    watcher, writer = clients(), clients()
    writer.create(f"{root}/a/b", b"1", makepath=True)
    cache = TreeCache(watcher, root)
    cache.start()
    wait_for(lambda: cache.get_data(f"{root}/a/b"), "the node that was there")
    writer.set(f"{root}/a/b", b"2")
    wait_for(lambda: cache.get_data(f"{root}/a/b").data == b"2", "the change")
    writer.create(f"{root}/a/c")
    wait_for(lambda: cache.get_children(f"{root}/a") == {"b", "c"}, "the new node")
    cache.close()


@behaviour("makepath and ensure_path create what is missing, delete takes it all")
def paths(clients, root):
    client = clients()
    client.create(f"{root}/x/y/z", b"deep", makepath=True)
    client.ensure_path(f"{root}/x/y/w")
    assert sorted(client.get_children(f"{root}/x/y")) == ["w", "z"]
    client.delete(f"{root}/x", recursive=True)
    assert client.get_children(root) == []


@behaviour("the four letter words that kazoo knows")
def words(clients, root):
    client = clients()
    assert client.command(b"ruok") == "imok"
    assert client.server_version()[:2] == (3, 9), client.server_version()
    assert "Mode: standalone" in client.command(b"srvr")
    assert "zk_znode_count" in client.command(b"mntr")
    assert client.command(b"isro").strip() == "rw"


@behaviour("the tree of a fresh server is ZooKeeper's")
def system_nodes(clients, root):
    client = clients()
    assert sorted(client.get_children("/zookeeper")) == ["config", "quota"]
    assert "zookeeper" in client.get_children("/")
    assert client.exists("/keeper/api_version") is None


@behaviour("a silent client's ephemerals vanish for the others")
def vanish(clients, root):
    silent = clients(timeout=1.5)
    watcher = clients()
    silent.create(f"{root}/e", ephemeral=True)
    gone = queue.Queue()
    watcher.exists(f"{root}/e", watch=gone.put)
    abandon(silent)
    event = gone.get(timeout=10)
    assert event.type == "DELETED"
    assert watcher.get_children(root) == []
    raises(NoNodeError, watcher.get, f"{root}/e")


if __name__ == "__main__":
    logging.basicConfig(level=logging.CRITICAL)
    status = 1 if run_all(Clients) else 0
    sys.stdout.flush()
    # Threads of clients that were abandoned on purpose must not keep the process alive.
    os._exit(status)
