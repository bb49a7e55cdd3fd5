"use strict";
// The package `zookeeper`, which is ZooKeeper's C client with a face of JavaScript.

const ZooKeeper = require("zookeeper");
const main = require("./driver.js");
const { Queue } = require("./harness.js");

const { constants } = ZooKeeper;
const TYPES = { 1: "created", 2: "deleted", 3: "changed", 4: "child" };
const CLOSED = { [-112]: "expired", [-113]: "auth failed" };

/** The result of a call with a callback: its one value, or all of them. */
function called(call) {
  return new Promise((resolve, reject) => {
    const failed = (code, why) => reject(Object.assign(new Error(`${code} ${why}`), { code }));
    const refused = call((code, why, ...results) => {
      if (code !== 0) failed(code, why);
      else resolve(results.length > 1 ? results : results[0]);
    });
    if (refused < 0) failed(refused, "refused");
  });
}

function plain(stat) {
  if (!stat) return null;
  const { version, cversion, aversion, dataLength, numChildren, mzxid } = stat;
  const ephemeralOwner = `0x${stat.ephemeralOwner}`;
  return { version, cversion, aversion, dataLength, numChildren, mzxid, ephemeralOwner };
}

// A watch of the C client is told of the session too; that is no event of a znode.
const watcher = (watch) => (type, _state, path) => TYPES[type] && watch(TYPES[type], path);

function connect(servers, { timeout, session }) {
  const config = { connect: servers, timeout, debug_level: 0, host_order_deterministic: false };
  // It takes large data that come in many parts for a dead session, unless told otherwise.
  config.response_counter_limit = 1000;
  if (session) {
    config.client_id = session.id.slice(2);
    // It reads capital letters only.
    config.client_password = session.password.toString("hex").toUpperCase();
  }
  const client = new ZooKeeper(config);
  const states = new Queue();
  client.on("connect", () => states.put("connected"));
  client.on("connecting", () => states.put("disconnected"));
  client.on("close", (_client, code) => states.put(CLOSED[code] ?? "closed"));
  client.init({});
  /** Calls the variant of a read with or without a watch. */
  const read = (name, path, watch) =>
    called((done) => watch
      ? client[`aw_${name}`](path, watcher(watch), done)
      : client[`a_${name}`](path, false, done));
  const flags = ({ ephemeral, sequential, container }) =>
    (ephemeral ? constants.ZOO_EPHEMERAL : 0) | (sequential ? constants.ZOO_SEQUENCE : 0)
      | (container ? constants.ZOO_CONTAINER : 0);
  return {
    states,
    session: () => `0x${client.client_id}`,
    password: () => Buffer.from(client.client_password, "hex"),
    timeout: () => client.timeout,
    create: (path, data, options) =>
      called((done) => options.ttl
        ? client.a_createTtl(path, data, constants.ZOO_PERSISTENT_WITH_TTL, options.ttl, done)
        : client.a_create(path, data, flags(options), done)),
    async get(path, watch) {
      const [stat, data] = await read("get", path, watch);
      return { data, stat: plain(stat) };
    },
    async exists(path, watch) {
      try {
        return plain(await read("exists", path, watch));
      } catch (error) {
        if (error.code === constants.ZNONODE) return null;
        throw error;
      }
    },
    async children(path, watch) {
      const [names, stat] = await read("get_children2", path, watch);
      return { names, stat: plain(stat) };
    },
    async set(path, data, version) {
      return plain(await called((done) => client.a_set(path, data, version, done)));
    },
    remove: (path, version) => called((done) => client.a_delete_(path, version, done)),
    async getACL(path) {
      const [acl, stat] = await called((done) => client.a_get_acl(path, done));
      const entries = acl.map((it) => ({ perms: it.perms, scheme: it.scheme, id: it.auth }));
      return { acl: entries, stat: plain(stat) };
    },
    setACL(path, acl, version) {
      const entries = acl.map((it) => ({ perms: it.perms, scheme: it.scheme, auth: it.id }));
      return called((done) => client.a_set_acl(path, version, entries, done));
    },
    auth: (scheme, auth) => called((done) => client.add_auth(scheme, auth, done)),
    sync: (path) => called((done) => client.a_sync(path, done)),
    async reconfig(joining, version) {
      const reply = await called((done) => client.a_reconfig(joining, null, null, version, done));
      return reply[1].toString();
    },
    close: () => client.close(),
  };
}

main({
  connect,
  unsupported: [
    "create-stat", "multi", "multi-fails", "multi-read", "watch-persistent", "watch-recursive",
    "watch-remove", "ephemerals-of", "all-children", "who-am-i", "read-only",
  ],
});
