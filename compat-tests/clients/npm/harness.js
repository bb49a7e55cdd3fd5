"use strict";
// What the behaviours are made of: waiting for conditions, orders to the servers, watches, and
// clients. It proves nothing by itself: what is asserted, the behaviours say.

const net = require("node:net");
const assert = require("node:assert");

// Longer than any wait for something that does happen.
const PATIENCE_MS = 15000;

const code = {
  connectionLoss: -4, noNode: -101, noAuth: -102, badVersion: -103, noChildren: -108,
  nodeExists: -110, notEmpty: -111, invalidAcl: -114, authFailed: -115,
};

const buffer = (text) => Buffer.from(text);

/** Asserts that what was seen is what was expected, in that order. */
const same = assert.deepStrictEqual;

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

/** Asserts that a call fails with a code. */
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
  called.is = async (expected) => same(await events.take(expected), expected);
  return called;
}

/** The clients of a behaviour, of one library. */
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
    client.write = (path, data, version = -1) => client.set(path, buffer(data), version);
    if (!options.unconnected) await client.waitFor("connected");
    return client;
  }

  /** A client of the lone server. */
  client(options) {
    return this.connect(process.env.COMPAT_CONNECT, options);
  }

  /** A client of the three servers. */
  ensemble(options) {
    return this.connect(process.env.COMPAT_ENSEMBLE, options);
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

module.exports = { Driver, Queue, buffer, code, fails, order, same, sleep, soon, until, watch };
