"use strict";
// node-zookeeper-client, which is written in JavaScript.

const zk = require("node-zookeeper-client");
const main = require("./driver.js");
const { Queue } = require("./harness.js");

const STATES = {
  connected: "connected", disconnected: "disconnected", expired: "expired",
  authenticationFailed: "auth failed",
};
const TYPES = {
  NODE_CREATED: "created", NODE_DELETED: "deleted", NODE_DATA_CHANGED: "changed",
  NODE_CHILDREN_CHANGED: "child",
};

const hexadecimal = (long) => `0x${long.readBigUInt64BE().toString(16)}`;

/** The result of a call with a callback: its one value, or all of them. */
function called(call) {
  return new Promise((resolve, reject) => {
    call((error, ...results) => {
      if (error) reject(error);
      else resolve(results.length > 1 ? results : results[0]);
    });
  });
}

function plain(stat) {
  if (!stat) return null;
  const { version, cversion, aversion, dataLength, numChildren } = stat;
  return {
    version, cversion, aversion, dataLength, numChildren,
    mzxid: stat.mzxid.readBigInt64BE(), ephemeralOwner: hexadecimal(stat.ephemeralOwner),
  };
}

const watcher = (watch) => watch && ((event) => watch(TYPES[event.getName()], event.getPath()));
const toAcl = (acl) => acl.map((it) => new zk.ACL(it.perms, new zk.Id(it.scheme, it.id)));
const fromAcl = (acl) =>
  acl.map((it) => ({ perms: it.permission, scheme: it.id.scheme, id: it.id.id }));

function connect(servers, { timeout, session }) {
  const options = { sessionTimeout: timeout, spinDelay: 100 };
  if (session) {
    options.sessionId = Buffer.from(session.id.slice(2).padStart(16, "0"), "hex");
    options.sessionPassword = session.password;
  }
  const client = zk.createClient(servers, options);
  const states = new Queue();
  for (const [event, state] of Object.entries(STATES)) client.on(event, () => states.put(state));
  client.connect();
  return {
    states,
    session: () => hexadecimal(client.getSessionId()),
    password: () => client.getSessionPassword(),
    timeout: () => client.getSessionTimeout(),
    create: (path, data, { ephemeral, sequential }) =>
      called((done) => client.create(path, data, (ephemeral ? 1 : 0) | (sequential ? 2 : 0), done)),
    async get(path, watch) {
      const [data, stat] = await called((done) => client.getData(path, watcher(watch), done));
      return { data, stat: plain(stat) };
    },
    async exists(path, watch) {
      return plain(await called((done) => client.exists(path, watcher(watch), done)));
    },
    async children(path, watch) {
      const [names, stat] = await called((done) => client.getChildren(path, watcher(watch), done));
      return { names, stat: plain(stat) };
    },
    async set(path, data, version) {
      return plain(await called((done) => client.setData(path, data, version, done)));
    },
    remove: (path, version) => called((done) => client.remove(path, version, done)),
    async getACL(path) {
      const [acl, stat] = await called((done) => client.getACL(path, done));
      return { acl: fromAcl(acl), stat: plain(stat) };
    },
    setACL: (path, acl, version) =>
      called((done) => client.setACL(path, toAcl(acl), version, done)),
    async auth(scheme, auth) {
      client.addAuthInfo(scheme, Buffer.from(auth));
    },
    multi(operations) {
      const transaction = client.transaction();
      const steps = {
        create: (path, data) => transaction.create(path, data),
        check: (path, version) => transaction.check(path, version),
        set: (path, data, version) => transaction.setData(path, data, version),
        remove: (path, version) => transaction.remove(path, version),
      };
      for (const [step, ...rest] of operations) steps[step](...rest);
      return called((done) => transaction.commit(done));
    },
    close: () => client.close(),
  };
}

main({
  connect,
  unsupported: [
    "create-stat", "container", "ttl", "multi-read", "watch-persistent", "watch-recursive",
    "watch-remove", "sync", "ephemerals-of", "all-children", "who-am-i", "read-only", "reconfig",
  ],
});
