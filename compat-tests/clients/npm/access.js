"use strict";
// Who may do what: ACLs of every scheme without certificates or Kerberos, and who a client is. The
// super user is seen in ensemble.js only.

const assert = require("node:assert");

const { code, fails, order, same } = require("./harness.js");

const perms = { read: 1, admin: 16, all: 31 };
const world = (permissions) => [{ perms: permissions, scheme: "world", id: "anyone" }];
/** The ACL that the scheme `auth` makes of whoever sets it. */
const CREATOR = [{ perms: perms.all, scheme: "auth", id: "" }];
/** alice:secret */
const ALICE = "alice:aYXlLOpEooaV1cRAvUL1fp9Qt7E=";

module.exports = {
  async acl(driver, client, root) {
    const { acl, stat } = await client.getACL(root);
    same([acl, stat.aversion], [world(perms.all), 0]);
    const few = world(perms.read | perms.admin);
    await client.setACL(root, few, 0);
    same((await client.exists(root)).aversion, 1);
    await fails(code.noAuth, () => client.write(root, ""));
    await fails(code.noAuth, () => client.make(`${root}/a`));
    await fails(code.badVersion, () => client.setACL(root, few, 0));
  },

  async "acl-digest"(driver, client, root) {
    const bob = await driver.client();
    await client.auth("digest", "alice:secret");
    await client.make(`${root}/a`, "hers");
    await client.setACL(`${root}/a`, [{ perms: perms.all, scheme: "digest", id: ALICE }], -1);
    same(await client.data(`${root}/a`), "hers");
    await fails(code.noAuth, () => bob.get(`${root}/a`));
    await fails(code.noAuth, () => bob.write(`${root}/a`, ""));
    await bob.auth("digest", "alice:secret");
    same(await bob.data(`${root}/a`), "hers");
  },

  async "acl-auth"(driver, client, root) {
    await fails(code.invalidAcl, () => client.setACL(root, CREATOR, -1));
    await client.auth("digest", "alice:secret");
    await client.setACL(root, CREATOR, -1);
    const { acl } = await client.getACL(root);
    same(acl[0].scheme, "digest");
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
    await client.setACL(root, CREATOR, -1);
    await order("drop");
    await client.waitFor("connected");
    await client.write(root, "hers");
  },
};
