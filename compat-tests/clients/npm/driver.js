"use strict";
// Asks a client library for the behaviours of behaviours.txt. An adapter gives both libraries of
// npm one face: promises, errors with a code, Stats with numbers and hexadecimal ids.

const net = require("node:net");
const assert = require("node:assert");

// Longer than any wait for something that does happen.
const PATIENCE_MS = 15000;

const code = {
  connectionLoss: -4, noNode: -101, noAuth: -102, badVersion: -103, noChildren: -108,
  nodeExists: -110, notEmpty: -111, invalidAcl: -114, authFailed: -115,
};
const perms = { read: 1, admin: 16, all: 31 };
const world = (permissions) => [{ perms: permissions, scheme: "world", id: "anyone" }];
/** alice:secret */
const ALICE = "alice:aYXlLOpEooaV1cRAvUL1fp9Qt7E=";
const buffer = (text) => Buffer.from(text);

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Resolves as the promise does, but in vain takes only so long. */
async function soon(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited in vain for ${what}`)), PATIENCE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function until(what, condition) {
  const end = Date.now() + PATIENCE_MS;
  while (!(await condition())) {
    assert(Date.now() < end, `waited in vain for ${what}`);
    await sleep(20);
  }
}

async function fails(expected, call) {
  let result;
  try {
    result = await soon(call(), "an error");
  } catch (error) {
    if (error.code !== expected) throw error;
    return;
  }
  assert.fail(`expected ${expected}, got ${JSON.stringify(result)}`);
}

/** Has the test's owner break connections, kill servers, start them again. */
function order(word) {
  const [host, port] = process.env.COMPAT_CONTROL.split(":");
  return new Promise((resolve, reject) => {
    const socket = net.connect(Number(port), host, () => socket.write(`${word}\n`));
    let answer = "";
    socket.on("data", (data) => {
      answer += data;
      if (!answer.endsWith("\n")) return;
      socket.destroy();
      if (answer === "ok\n") resolve();
      else reject(new Error(answer));
    });
    socket.on("error", reject);
  });
}

/** What came in, to be taken one at a time. */
class Queue {
  items = [];
  #waiting = [];

  put(item) {
    const next = this.#waiting.shift();
    if (next) next(item);
    else this.items.push(item);
  }

  take(what) {
    if (this.items.length > 0) return this.items.shift();
    return soon(new Promise((resolve) => this.#waiting.push(resolve)), what);
  }
}

/** A watch: a function to be called with type and path, and what it was called with. */
function watch() {
  const events = new Queue();
  const called = (type, path) => events.put(`${type} ${path}`);
  called.events = events;
  called.is = async (expected) => assert.strictEqual(await events.take(expected), expected);
  return called;
}

/** What the behaviours are made of, for one library. */
class Driver {
  #open = [];

  constructor(adapter) {
    this.adapter = adapter;
  }

  /** A connected client. */
  async connect(servers, options = {}) {
    const client = this.adapter.connect(servers, { timeout: 6000, ...options });
    this.#open.push(client);
    client.waitFor = async (state) => {
      while ((await client.states.take(state)) !== state);
    };
    client.data = async (path) => (await client.get(path)).data?.toString();
    client.make = (path, data = "", options = {}) => client.create(path, buffer(data), options);
    if (!options.unconnected) await client.waitFor("connected");
    return client;
  }

  client(options) {
    return this.connect(process.env.COMPAT_CONNECT, options);
  }

  async stop() {
    for (const client of this.#open) {
      try {
        client.close();
      } catch {
        // It was closed before.
      }
    }
    this.#open = [];
  }
}

const behaviours = {
  async connect(driver, client) {
    assert.match(client.session(), /^0x[1-9a-f]/);
    assert.strictEqual(client.timeout(), 6000);
    assert.strictEqual((await driver.client({ timeout: 100 })).timeout(), 1000);
    assert.strictEqual((await driver.client({ timeout: 500000 })).timeout(), 60000);
  },

  async create(driver, client, root) {
    assert.strictEqual(await client.make(`${root}/a`, "one"), `${root}/a`);
  },

  async "create-ephemeral"(driver, client, root) {
    await client.make(`${root}/e`, "", { ephemeral: true });
    const other = await driver.client();
    assert.strictEqual((await other.exists(`${root}/e`)).ephemeralOwner, client.session());
    await fails(code.noChildren, () => other.make(`${root}/e/c`));
  },

  async "create-sequential"(driver, client, root) {
    const sequential = true;
    const first = await client.make(`${root}/s-`, "", { sequential });
    assert.strictEqual(first, `${root}/s-0000000000`);
    await client.make(`${root}/plain`);
    const second = await client.make(`${root}/e-`, "", { sequential, ephemeral: true });
    assert.strictEqual(second, `${root}/e-0000000002`);
  },

  async container(driver, client, root) {
    await client.make(`${root}/container`, "", { container: true });
    await client.make(`${root}/container/c`);
    await client.remove(`${root}/container/c`, -1);
    await until("its end", async () => !(await client.exists(`${root}/container`)));
  },

  async ttl(driver, client, root) {
    await client.make(`${root}/ttl`, "", { ttl: 400 });
    await client.make(`${root}/kept`, "", { ttl: 600000 });
    await until("its end", async () => !(await client.exists(`${root}/ttl`)));
    assert(await client.exists(`${root}/kept`));
  },

  async "get-set"(driver, client, root) {
    await client.make(`${root}/a`, "one");
    const { data, stat } = await client.get(`${root}/a`);
    assert.deepStrictEqual([data.toString(), stat.version, stat.dataLength], ["one", 0, 3]);
    const set = await client.set(`${root}/a`, buffer("two"), 0);
    assert.strictEqual(set.version, 1);
    assert(set.mzxid > stat.mzxid);
    assert.strictEqual(await client.data(`${root}/a`), "two");
  },

  async exists(driver, client, root) {
    assert.strictEqual(await client.exists(`${root}/none`), null);
    assert.deepStrictEqual(await client.exists(root), (await client.get(root)).stat);
  },

  async delete(driver, client, root) {
    await client.make(`${root}/a`);
    await client.make(`${root}/a/b`);
    await fails(code.notEmpty, () => client.remove(`${root}/a`, -1));
    await client.remove(`${root}/a/b`, -1);
    await client.remove(`${root}/a`, -1);
    assert.strictEqual(await client.exists(`${root}/a`), null);
  },

  async children(driver, client, root) {
    assert.deepStrictEqual((await client.children(root)).names, []);
    await client.make(`${root}/a`);
    await client.make(`${root}/b`);
    assert.deepStrictEqual((await client.children(root)).names.sort(), ["a", "b"]);
  },

  async "children-stat"(driver, client, root) {
    await client.make(`${root}/a`);
    const { names, stat } = await client.children(root);
    assert.deepStrictEqual([names, stat.numChildren, stat.cversion], [["a"], 1, 1]);
  },

  async "bad-version"(driver, client, root) {
    await fails(code.badVersion, () => client.set(root, buffer("x"), 1));
    await fails(code.badVersion, () => client.remove(root, 7));
    await client.remove(root, 0);
  },

  async "node-errors"(driver, client, root) {
    await fails(code.nodeExists, () => client.make(root));
    await fails(code.noNode, () => client.get(`${root}/none`));
    await fails(code.noNode, () => client.set(`${root}/none`, buffer(""), -1));
    await fails(code.noNode, () => client.remove(`${root}/none`, -1));
    await fails(code.noNode, () => client.children(`${root}/none`));
    await fails(code.noNode, () => client.make(`${root}/none/below`));
  },

  async "data-empty"(driver, client, root) {
    await client.make(`${root}/empty`, "");
    assert.deepStrictEqual((await client.get(`${root}/empty`)).data, buffer(""));
    await client.make(`${root}/zeros`, "\0\0\0\0");
    assert.deepStrictEqual((await client.get(`${root}/zeros`)).data, Buffer.alloc(4));
  },

  async "data-large"(driver, client, root) {
    const large = Buffer.alloc(1000000, "x");
    await client.create(`${root}/large`, large, {});
    assert((await client.get(`${root}/large`)).data.equals(large));
  },

  async "data-too-large"(driver, client, root) {
    const session = client.session();
    await fails(code.connectionLoss, () => client.create(`${root}/big`, Buffer.alloc(1048576), {}));
    await client.waitFor("connected");
    assert.strictEqual(await client.exists(`${root}/big`), null);
    assert.strictEqual(client.session(), session);
  },

  async unicode(driver, client, root) {
    await client.make(`${root}/ünïcode-日本`, "ünï");
    assert.deepStrictEqual((await client.children(root)).names, ["ünïcode-日本"]);
    assert.strictEqual(await client.data(`${root}/ünïcode-日本`), "ünï");
  },

  async acl(driver, client, root) {
    const { acl, stat } = await client.getACL(root);
    assert.deepStrictEqual([acl, stat.aversion], [world(perms.all), 0]);
    const few = world(perms.read | perms.admin);
    await client.setACL(root, few, 0);
    assert.strictEqual((await client.exists(root)).aversion, 1);
    await fails(code.noAuth, () => client.set(root, buffer(""), -1));
    await fails(code.noAuth, () => client.make(`${root}/a`));
    await fails(code.badVersion, () => client.setACL(root, few, 0));
  },

  async "acl-digest"(driver, client, root) {
    const bob = await driver.client();
    await client.auth("digest", "alice:secret");
    await client.make(`${root}/a`, "hers");
    await client.setACL(`${root}/a`, [{ perms: perms.all, scheme: "digest", id: ALICE }], -1);
    assert.strictEqual(await client.data(`${root}/a`), "hers");
    await fails(code.noAuth, () => bob.get(`${root}/a`));
    await fails(code.noAuth, () => bob.set(`${root}/a`, buffer(""), -1));
    await bob.auth("digest", "alice:secret");
    assert.strictEqual(await bob.data(`${root}/a`), "hers");
  },

  async "acl-auth"(driver, client, root) {
    const creator = [{ perms: perms.all, scheme: "auth", id: "" }];
    await fails(code.invalidAcl, () => client.setACL(root, creator, -1));
    await client.auth("digest", "alice:secret");
    await client.setACL(root, creator, -1);
    const { acl } = await client.getACL(root);
    assert.strictEqual(acl[0].scheme, "digest");
    assert.match(acl[0].id, /^alice:/);
  },

  async "acl-ip"(driver, client, root) {
    for (const address of ["127.0.0.1", "10.0.0.0"]) {
      await client.make(`${root}/${address}`);
      const only = [{ perms: perms.all, scheme: "ip", id: address }];
      await client.setACL(`${root}/${address}`, only, -1);
    }
    await client.get(`${root}/127.0.0.1`);
    await fails(code.noAuth, () => client.get(`${root}/10.0.0.0`));
  },

  async "auth-unknown"(driver, client) {
    // One library tells the caller, the other the listeners.
    client.auth("nonsense", "x").catch(() => {});
    await client.waitFor("auth failed");
  },

  async "auth-again"(driver, client, root) {
    await client.auth("digest", "alice:secret");
    await client.setACL(root, [{ perms: perms.all, scheme: "auth", id: "" }], -1);
    await order("drop");
    await client.waitFor("connected");
    await client.set(root, buffer("hers"), -1);
  },

  async quota(driver, client, root) {
    const place = `/zookeeper/quota${root}`;
    await client.make(place);
    await client.make(`${place}/zookeeper_limits`, "count=5,bytes=-1");
    await client.make(`${place}/zookeeper_stats`, "count=1,bytes=0");
    await client.make(`${root}/a`, "12345");
    assert.match(await client.data(`${place}/zookeeper_stats`), /^count=2,bytes=5/);
  },

  async multi(driver, client, root) {
    const results = await client.multi([
      ["create", `${root}/a`, buffer("1")],
      ["check", `${root}/a`, 0],
      ["set", `${root}/a`, buffer("2"), 0],
      ["create", `${root}/c`, buffer("")],
      ["remove", `${root}/c`, 0],
    ]);
    assert.strictEqual(results.length, 5);
    assert.strictEqual(results[0].path, `${root}/a`);
    assert.strictEqual(await client.data(`${root}/a`), "2");
    assert.deepStrictEqual((await client.children(root)).names, ["a"]);
  },

  async "multi-fails"(driver, client, root) {
    const operations = [
      ["create", `${root}/a`, buffer("1")],
      ["check", `${root}/a`, 3],
      ["remove", `${root}/a`, -1],
    ];
    await fails(code.badVersion, () => client.multi(operations));
    assert.deepStrictEqual((await client.children(root)).names, []);
  },

  async "watch-data"(driver, client, root) {
    const writer = await driver.client();
    await writer.make(`${root}/w`);
    const [one, two] = [watch(), watch()];
    await client.get(`${root}/w`, one);
    await writer.set(`${root}/w`, buffer("1"), -1);
    await one.is(`changed ${root}/w`);
    await client.get(`${root}/w`, two);
    await writer.remove(`${root}/w`, -1);
    await two.is(`deleted ${root}/w`);
  },

  async "watch-exists"(driver, client, root) {
    const writer = await driver.client();
    const [one, two] = [watch(), watch()];
    assert.strictEqual(await client.exists(`${root}/w`, one), null);
    await writer.make(`${root}/w`);
    await one.is(`created ${root}/w`);
    await client.exists(`${root}/w`, two);
    await writer.remove(`${root}/w`, -1);
    await two.is(`deleted ${root}/w`);
  },

  async "watch-children"(driver, client, root) {
    const writer = await driver.client();
    const [one, two] = [watch(), watch()];
    await client.children(root, one);
    await writer.make(`${root}/c`);
    await one.is(`child ${root}`);
    await client.children(root, two);
    await writer.remove(`${root}/c`, -1);
    await two.is(`child ${root}`);
  },

  async "watch-once"(driver, client, root) {
    const writer = await driver.client();
    const once = watch();
    await client.get(root, once);
    await writer.set(root, buffer("1"), -1);
    await writer.set(root, buffer("2"), -1);
    await once.is(`changed ${root}`);
    // What was sent before the answer has arrived by then.
    await client.exists(root);
    assert.deepStrictEqual(once.events.items, []);
  },

  async "watch-first"(driver, client, root) {
    const writer = await driver.client();
    for (let round = 0; round < 50; round++) {
      const told = watch();
      await client.get(root, told);
      const written = writer.set(root, buffer(`${round}`), -1);
      await until("the new data", async () => (await client.data(root)) === `${round}`);
      assert.deepStrictEqual(told.events.items, [`changed ${root}`]);
      await written;
    }
  },

  async "watch-again"(driver, client, root) {
    const writer = await driver.client();
    const [changed, created, child] = [watch(), watch(), watch()];
    await client.get(root, changed);
    await client.exists(`${root}/w`, created);
    await client.children(root, child);
    await order("drop");
    await client.waitFor("connected");
    await writer.waitFor("connected");
    await client.exists(root);
    assert.deepStrictEqual([changed, created, child].flatMap((it) => it.events.items), []);
    await writer.make(`${root}/w`);
    await created.is(`created ${root}/w`);
    await child.is(`child ${root}`);
    await writer.set(root, buffer("1"), -1);
    await changed.is(`changed ${root}`);
  },

  async "watch-missed"(driver, client, root) {
    const writer = await driver.client();
    const created = watch();
    await client.exists(`${root}/w`, created);
    await order("drop");
    await writer.waitFor("connected");
    // Before or after the watcher is back: it is told in any case.
    await writer.make(`${root}/w`);
    await created.is(`created ${root}/w`);
  },

  async pipeline(driver, client, root) {
    const answered = [];
    const reads = [];
    const all = [];
    for (let round = 0; round < 200; round++) {
      all.push(client.set(root, buffer(`${round}`), round).then(() => answered.push(2 * round)));
      all.push(client.get(root).then(({ data, stat }) => {
        answered.push(2 * round + 1);
        reads.push(`${data} ${stat.version}`);
      }));
    }
    await soon(Promise.all(all), "all answers");
    assert.deepStrictEqual(answered, [...answered.keys()]);
    reads.forEach((read, round) => assert.strictEqual(read, `${round} ${round + 1}`));
  },

  async sync(driver, client, root) {
    await client.sync(root);
  },

  async "session-kept"(driver, client, root) {
    const session = client.session();
    await client.make(`${root}/e`, "", { ephemeral: true });
    for (let round = 0; round < 3; round++) {
      await order("drop");
      await client.waitFor("connected");
      assert.strictEqual(client.session(), session);
      assert.strictEqual((await client.exists(`${root}/e`)).ephemeralOwner, session);
    }
  },

  async "session-restart"(driver, other, root) {
    const client = await driver.client({ timeout: 30000 });
    await client.make(`${root}/e`, "kept", { ephemeral: true });
    const before = await client.get(`${root}/e`);
    await order("restart");
    await client.waitFor("connected");
    assert.deepStrictEqual(await client.get(`${root}/e`), before);
    assert.strictEqual(before.stat.ephemeralOwner, client.session());
  },

  async "session-close"(driver, client, root) {
    const other = await driver.client();
    const gone = watch();
    await client.make(`${root}/e`, "", { ephemeral: true });
    await other.exists(`${root}/e`, gone);
    client.close();
    await gone.is(`deleted ${root}/e`);
    assert.deepStrictEqual((await other.children(root)).names, []);
  },

  async "session-expired"(driver, other, root) {
    const client = await driver.client({ timeout: 1000 });
    await client.make(`${root}/e`, "", { ephemeral: true });
    await order("close");
    await order(`expired ${client.session()}`);
    await order("open");
    await client.waitFor("expired");
    await other.waitFor("connected");
    assert.strictEqual(await other.exists(`${root}/e`), null);
  },

  async "session-takeover"(driver, client, root) {
    await client.make(`${root}/e`, "", { ephemeral: true });
    const session = { id: client.session(), password: client.password() };
    const second = await driver.client({ session });
    assert.strictEqual(second.session(), session.id);
    await client.waitFor("disconnected");
    const thief = { ...session, password: Buffer.alloc(16, 7) };
    const refused = await driver.client({ session: thief, unconnected: true });
    await refused.waitFor("expired");
  },

  async chroot(driver, outside, root) {
    const inside = await driver.connect(process.env.COMPAT_CONNECT + root);
    const changed = watch();
    assert.strictEqual(await inside.make("/in"), "/in");
    await inside.get("/in", changed);
    await outside.set(`${root}/in`, buffer("1"), -1);
    await changed.is("changed /in");
    assert.deepStrictEqual((await inside.children("/")).names, ["in"]);
  },

  async "server-killed"(driver, client, root) {
    await outlives(driver, root, (session) => `kill-server-of ${session}`);
  },

  async "leader-killed"(driver, client, root) {
    await outlives(driver, root, () => "kill-leader");
  },

  async "config-get"(driver) {
    await order("ensemble");
    const client = await driver.connect(process.env.COMPAT_ENSEMBLE);
    const lines = (await client.data("/zookeeper/config")).split("\n");
    const keys = lines.map((line) => line.split("=")[0]);
    assert.deepStrictEqual(keys, ["server.1", "server.2", "server.3", "version"]);
  },

  async reconfig(driver) {
    await order("ensemble");
    const client = await driver.connect(process.env.COMPAT_ENSEMBLE);
    const line = (await client.data("/zookeeper/config")).split("\n")[2];
    await fails(code.noAuth, () => client.reconfig(line, -1));
    await client.auth("digest", "super:test");
    const config = await client.reconfig(line, -1);
    assert(config.includes(line));
    const version = parseInt(config.split("version=")[1], 16);
    await client.reconfig(line, version);
    await fails(code.badVersion, () => client.reconfig(line, version));
  },
};

/** Creates a znode, again and again while connections break. */
async function insist(client, path) {
  for (let repeated = false; ; repeated = true) {
    try {
      return await soon(client.make(path), "a server");
    } catch (error) {
      if (repeated && error.code === code.nodeExists) return path;
      if (error.code !== code.connectionLoss) throw error;
      await sleep(50);
    }
  }
}

async function outlives(driver, root, kill) {
  await order("ensemble");
  const client = await driver.connect(process.env.COMPAT_ENSEMBLE, { timeout: 30000 });
  const session = client.session();
  await client.make(root);
  await client.make(`${root}/e`, "", { ephemeral: true });
  for (let number = 0; number < 10; number++) {
    if (number === 5) await order(kill(session));
    await insist(client, `${root}/${number}`);
  }
  assert.strictEqual(client.session(), session);
  assert.strictEqual((await client.exists(`${root}/e`)).ephemeralOwner, session);
  assert.strictEqual((await client.children(root)).names.length, 11);
}

async function run(adapter, name, behaviour) {
  const driver = new Driver(adapter);
  try {
    const client = await driver.client();
    const root = `/npm-${name}`;
    await client.make(root);
    await behaviour(driver, client, root);
    return "works";
  } catch (error) {
    console.log(error);
    return `fails ${String(error).split("\n")[0]}`;
  } finally {
    await driver.stop();
  }
}

module.exports = async function main(adapter) {
  // A client whose session was taken over may trip over what it had read; the others go on.
  process.on("uncaughtException", (error) => console.log(error));
  const only = process.argv[2] ?? "";
  for (const name of adapter.unsupported) console.log(`${name} unsupported`);
  for (const [name, behaviour] of Object.entries(behaviours)) {
    if (!name.includes(only) || adapter.unsupported.includes(name)) continue;
    const began = Date.now();
    const outcome = await run(adapter, name, behaviour);
    console.log(`(${(Date.now() - began) / 1000} s)\n${name} ${outcome}`);
  }
  // Sockets of clients that were left on purpose must not keep the process alive.
  process.exit(0);
};
module.exports.Queue = Queue;
