"use strict";
// Sessions with one server: how they begin and end, and what they survive. A session that goes on
// with another server is in ensemble.js.

const assert = require("node:assert");

const { order, same, watch } = require("./harness.js");

module.exports = {
  async connect(driver, client) {
    assert.match(client.session(), /^0x[1-9a-f]/);
    same(client.timeout(), 6000);
    same((await driver.client({ timeout: 100 })).timeout(), 1000);
    same((await driver.client({ timeout: 500000 })).timeout(), 60000);
  },

  async "session-kept"(driver, client, root) {
    const session = client.session();
    await client.make(`${root}/e`, "", { ephemeral: true });
    for (let round = 0; round < 3; round++) {
      await order("drop");
      await client.waitFor("connected");
      same(client.session(), session);
      same((await client.exists(`${root}/e`)).ephemeralOwner, session);
    }
  },

  async "session-restart"(driver, other, root) {
    const client = await driver.client({ timeout: 30000 });
    await client.make(`${root}/e`, "kept", { ephemeral: true });
    const before = await client.get(`${root}/e`);
    await order("restart");
    await client.waitFor("connected");
    same(await client.get(`${root}/e`), before);
    same(before.stat.ephemeralOwner, client.session());
  },

  async "session-close"(driver, client, root) {
    const other = await driver.client();
    const gone = watch();
    await client.make(`${root}/e`, "", { ephemeral: true });
    await other.exists(`${root}/e`, gone);
    client.close();
    await gone.is(`deleted ${root}/e`);
    same((await other.children(root)).names, []);
  },

  async "session-expired"(driver, other, root) {
    const client = await driver.client({ timeout: 1000 });
    await client.make(`${root}/e`, "", { ephemeral: true });
    await order("close");
    await order(`expired ${client.session()}`);
    await order("open");
    await client.waitFor("expired");
    await other.waitFor("connected");
    same(await other.exists(`${root}/e`), null);
  },

  async "session-takeover"(driver, client, root) {
    await client.make(`${root}/e`, "", { ephemeral: true });
    const session = { id: client.session(), password: client.password() };
    const second = await driver.client({ session });
    same(second.session(), session.id);
    await client.waitFor("disconnected");
    const thief = { ...session, password: Buffer.alloc(16, 7) };
    const refused = await driver.client({ session: thief, unconnected: true });
    await refused.waitFor("expired");
  },

  async chroot(driver, outside, root) {
    const inside = await driver.connect(process.env.COMPAT_CONNECT + root);
    const changed = watch();
    same(await inside.make("/in"), "/in");
    await inside.get("/in", changed);
    await outside.write(`${root}/in`, "1");
    await changed.is("changed /in");
    same((await inside.children("/")).names, ["in"]);
  },
};
