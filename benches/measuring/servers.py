"""Servers under measurement: Rookery's and ZooKeeper's processes, alone and in ensembles.

One server and an ensemble answer the same calls, so that a measurement does not care which it has.
"""

import contextlib
import ctypes
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

CACHE = pathlib.Path.home() / ".cache" / "rookery"
ZOOKEEPER_VERSION = "3.9.5"
ZOOKEEPER_POM = pathlib.Path(__file__).resolve().parent.parent / "zookeeper" / "pom.xml"
START_SECONDS_MAX = 120
DEFAULT_SNAP_COUNT = 100_000
NEVER = 2_000_000_000
CONFIG = """\
tickTime=2000
initLimit=10
syncLimit=5
dataDir={data}
clientPort={port}
clientPortAddress={host}
maxClientCnxns=0
clientPortListenBacklog=1024
admin.enableServer=false
4lw.commands.whitelist=*
snapCount={snap_count}
"""


def die_with_parent():
    """A killed script leaves no server behind (PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def free_port():
    """Below the range from which the system gives ports to clients, so that none takes it first."""
    for port in random.sample(range(15000, 32000), 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise SystemExit("no free port")


class Server:
    """One server process with its own data directory, until `remove`."""

    def __init__(self, options, kind, snap_count=DEFAULT_SNAP_COUNT, host="127.0.0.1", wrap=()):
        self.options, self.kind, self.wrap = options, kind, list(wrap)
        self.home = pathlib.Path(tempfile.mkdtemp(prefix=f"bench-{kind}-", dir=options.dir))
        self.address = (host, free_port())
        self.process = None
        self.data = self.home / "data"
        self.data.mkdir()
        self.config = CONFIG.format(data=self.data, host=host, port=self.address[1],
                                    snap_count=snap_count)
        (self.home / "zoo.cfg").write_text(self.config)

    def join(self, number, members):
        """Makes it server `number` of an ensemble."""
        self.number = number
        self.write_myid()
        (self.home / "zoo.cfg").write_text(self.config + members)

    def write_myid(self):
        (self.data / "myid").write_text(f"{self.number}\n")

    def wipe(self):
        """Loses the disk of a server that does not run, but for its `myid`."""
        shutil.rmtree(self.data)
        self.data.mkdir()
        self.write_myid()

    def start(self, path="/"):
        """Starts the process; gives the seconds until it answered a read of `path`."""
        began = self.spawn()
        return self.wait(path) - began

    def wait(self, path="/"):
        """Waits until a server that was spawned answers a read of `path`; gives the moment."""
        return first_answer(self.address, path, time.monotonic() + START_SECONDS_MAX)

    def spawn(self):
        """Starts the process and gives the moment."""
        config = str(self.home / "zoo.cfg")
        if self.kind == "rookery":
            command = [self.options.rookery, "serve", config]
        else:
            # The switches of ZooKeeper's own zkServer.sh, and its heap unless told otherwise.
            command = ["java", f"-Xmx{self.options.heap}", "-XX:+HeapDumpOnOutOfMemoryError",
                       f"-XX:HeapDumpPath={self.home}", "-XX:OnOutOfMemoryError=kill -9 %p",
                       "-Dcom.sun.management.jmxremote",
                       "-Dcom.sun.management.jmxremote.local.only=false",
                       "-cp", f"{zookeeper_jars()}/*",
                       "org.apache.zookeeper.server.quorum.QuorumPeerMain", config]
        began = time.monotonic()
        with open(self.home / "log", "ab") as log:
            self.process = subprocess.Popen([*self.wrap, *command], stdout=log, stderr=log,
                                            cwd=self.home, preexec_fn=die_with_parent)
        return began

    def kill(self):
        """Ends it as a power failure would."""
        self.process.kill()
        self.process.wait()
        self.process = None

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def remove(self):
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def mode(self):
        """What it says it is: leader, follower, standalone; `None` while it does not serve."""
        with contextlib.suppress(OSError):
            said = talk(self.address, b"srvr", lambda stream: stream.read()).decode()
            for line in said.splitlines():
                if line.startswith("Mode: "):
                    return line.removeprefix("Mode: ")
        return None

    def cpu_seconds(self):
        fields = self.proc("stat").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self):
        values = dict(line.split(":", 1) for line in self.proc("status").splitlines())
        return {name: int(values[key].split()[0]) * 1024
                for name, key in (("rss", "VmRSS"), ("rss_peak", "VmHWM"))}

    def proc(self, name):
        return pathlib.Path(f"/proc/{self.process.pid}/{name}").read_text()

    def settle(self, seconds_max=20):
        settle([self], seconds_max)

    def bench(self, *arguments):
        """Runs `rookery bench` against this server and gives what it reports."""
        return bench(self.options, [self], arguments)


class Ensemble:
    """Several servers that are one service."""

    def __init__(self, options, kind, count=3, hosts=None, wraps=None):
        self.options, self.kind = options, kind
        hosts = hosts or ["127.0.0.1"] * count
        wraps = wraps or [()] * count
        self.servers = [Server(options, kind, host=host, wrap=wrap)
                        for host, wrap in zip(hosts, wraps)]
        members = "".join(f"server.{number}={host}:{free_port()}:{free_port()}\n"
                          for number, host in enumerate(hosts, 1))
        for number, server in enumerate(self.servers, 1):
            server.join(number, members)

    def start(self):
        for server in self.servers:
            server.spawn()
        for server in self.servers:
            server.wait()

    def leader(self):
        """Who leads, once all servers that run serve and agree."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            modes = {server: server.mode() for server in self.servers if server.process}
            leaders = [server for server, mode in modes.items() if mode == "leader"]
            if len(leaders) == 1 and all(modes.values()):
                return leaders[0]
            time.sleep(0.02)
        raise SystemExit(f"{self.kind}: no leader within {START_SECONDS_MAX} s")

    def remove(self):
        for server in self.servers:
            server.remove()

    def settle(self, seconds_max=20):
        settle(self.servers, seconds_max)

    def bench(self, *arguments):
        """Runs `rookery bench` against all servers at once."""
        return bench(self.options, self.servers, arguments)


def settle(servers, seconds_max):
    """Waits until servers do nothing by themselves: no compaction, collection, snapshot."""
    deadline = time.monotonic() + seconds_max
    spent = lambda: sum(server.cpu_seconds() for server in servers)
    while time.monotonic() < deadline:
        before = spent()
        time.sleep(0.3)
        # One tick of the clock that counts, and one more for each further server.
        if spent() - before <= 0.01 * (1 + len(servers)):
            return


def bench(options, servers, arguments):
    addresses = ",".join(f"{host}:{port}" for host, port in (one.address for one in servers))
    pids = ",".join(str(server.process.pid) for server in servers)
    command = [options.generator, "bench", *map(str, arguments), "--json",
               "--server", addresses, "--server-pid", pids]
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=900,
                          preexec_fn=die_with_parent)
    if done.returncode != 0:
        said = done.stdout.decode()[:600]
        raise SystemExit(f"{' '.join(command)}\nfailed on {servers[0].kind}: {said}")
    return json.loads(done.stdout)


def zookeeper_jars():
    """The server's class path, from Maven Central once."""
    jars = CACHE / f"zookeeper-{ZOOKEEPER_VERSION}"
    if not (jars / f"zookeeper-{ZOOKEEPER_VERSION}.jar").exists():
        subprocess.run(["mvn", "-q", "-B", "-f", ZOOKEEPER_POM,
                        "dependency:copy-dependencies", "-DincludeScope=runtime",
                        f"-DoutputDirectory={jars}"], check=True)
    return jars


# ------------------------------------------------------------------ a minimal client


def first_answer(address, path, deadline):
    """When the server answered a read of `path` with success.

    A ZooKeeper that is just starting can take a connection and forget it, so it is first asked
    with a four-letter word whether it serves, and is not waited for long.
    """
    encoded = path.encode()
    connect = struct.pack(">iqiqi16sb", 0, 0, 30000, 0, 16, bytes(16), 0)
    read = struct.pack(">iii", 1, 4, len(encoded)) + encoded + b"\0"
    close = struct.pack(">ii", 2, -11)
    framed = b"".join(struct.pack(">i", len(part)) + part for part in (connect, read, close))
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, EOFError):
            if b"Mode: " in talk(address, b"srvr", lambda stream: stream.read()):
                return talk(address, framed, lambda stream: read_answer(stream, path))
        time.sleep(0.002)
    raise SystemExit(f"no answer from {address} within {START_SECONDS_MAX} s")


def talk(address, request, use):
    with socket.create_connection(address, timeout=0.3) as link:
        link.sendall(request)
        return use(link.makefile("rb"))


def read_answer(stream, path):
    frame(stream)
    _, _, code = struct.unpack(">iqi", frame(stream)[:16])
    if code != 0:
        raise SystemExit(f"reading {path}: the server answered {code}")
    answered = time.monotonic()
    frame(stream)
    return answered


def frame(stream):
    head = stream.read(4)
    if len(head) < 4:
        raise EOFError
    body = stream.read(struct.unpack(">i", head)[0])
    if not body:
        raise EOFError
    return body
