"use strict";
// Three servers: that a session goes on when one is killed, and that the members are read and given
// anew. No member is really added or removed, and neither library reads from a server without the
// others.

const assert = require("node:assert");

const { code, fails, order, same, sleep, soon } = require("./harness.js");

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

/** Has a server killed between writes; the session and its ephemeral outlive it. */
async function outlives(driver, root, kill) {
  await order("ensemble");
  const client = await driver.ensemble({ timeout: 30000 });
  const session = client.session();
  await client.make(root);
  await client.make(`${root}/e`, "", { ephemeral: true });
  for (let number = 0; number < 10; number++) {
    if (number === 5) await order(kill(session));
    await insist(client, `${root}/${number}`);
  }
  same(client.session(), session);
  same((await client.exists(`${root}/e`)).ephemeralOwner, session);
  same((await client.children(root)).names.length, 11);
}

module.exports = {
  async "server-killed"(driver, client, root) {
    await outlives(driver, root, (session) => `kill-server-of ${session}`);
  },

  async "leader-killed"(driver, client, root) {
    await outlives(driver, root, () => "kill-leader");
  },

  async "config-get"(driver) {
    await order("ensemble");
    const client = await driver.ensemble();
    const lines = (await client.data("/zookeeper/config")).split("\n");
    const keys = lines.map((line) => line.split("=")[0]);
    same(keys, ["server.1", "server.2", "server.3", "version"]);
  },

  async reconfig(driver) {
    await order("ensemble");
    const client = await driver.ensemble();
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
