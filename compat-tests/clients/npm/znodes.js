"use strict";
// Znodes of one client: that they are created in every mode, read, changed, listed and deleted,
// that errors have their codes, and that data and names of any size and alphabet pass. Who may do
// so is in access.js, what others are told of it in watches.js.

const assert = require("node:assert");

const { buffer, code, fails, same, until } = require("./harness.js");

module.exports = {
  async create(driver, client, root) {
    same(await client.make(`${root}/a`, "one"), `${root}/a`);
  },

  async "create-ephemeral"(driver, client, root) {
    await client.make(`${root}/e`, "", { ephemeral: true });
    const other = await driver.client();
    same((await other.exists(`${root}/e`)).ephemeralOwner, client.session());
    await fails(code.noChildren, () => other.make(`${root}/e/c`));
  },

  async "create-sequential"(driver, client, root) {
    const sequential = true;
    const first = await client.make(`${root}/s-`, "", { sequential });
    same(first, `${root}/s-0000000000`);
    await client.make(`${root}/plain`);
    const second = await client.make(`${root}/e-`, "", { sequential, ephemeral: true });
    same(second, `${root}/e-0000000002`);
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
    same([data.toString(), stat.version, stat.dataLength], ["one", 0, 3]);
    const set = await client.write(`${root}/a`, "two", 0);
    same(set.version, 1);
    assert(set.mzxid > stat.mzxid);
    same(await client.data(`${root}/a`), "two");
  },

  async exists(driver, client, root) {
    same(await client.exists(`${root}/none`), null);
    same(await client.exists(root), (await client.get(root)).stat);
  },

  async delete(driver, client, root) {
    await client.make(`${root}/a`);
    await client.make(`${root}/a/b`);
    await fails(code.notEmpty, () => client.remove(`${root}/a`, -1));
    await client.remove(`${root}/a/b`, -1);
    await client.remove(`${root}/a`, -1);
    same(await client.exists(`${root}/a`), null);
  },

  async children(driver, client, root) {
    same((await client.children(root)).names, []);
    await client.make(`${root}/a`);
    await client.make(`${root}/b`);
    same((await client.children(root)).names.sort(), ["a", "b"]);
  },

  async "children-stat"(driver, client, root) {
    await client.make(`${root}/a`);
    const { names, stat } = await client.children(root);
    same([names, stat.numChildren, stat.cversion], [["a"], 1, 1]);
  },

  async "bad-version"(driver, client, root) {
    await fails(code.badVersion, () => client.write(root, "x", 1));
    await fails(code.badVersion, () => client.remove(root, 7));
    await client.remove(root, 0);
  },

  async "node-errors"(driver, client, root) {
    await fails(code.nodeExists, () => client.make(root));
    await fails(code.noNode, () => client.get(`${root}/none`));
    await fails(code.noNode, () => client.write(`${root}/none`, ""));
    await fails(code.noNode, () => client.remove(`${root}/none`, -1));
    await fails(code.noNode, () => client.children(`${root}/none`));
    await fails(code.noNode, () => client.make(`${root}/none/below`));
  },

  async "data-empty"(driver, client, root) {
    await client.make(`${root}/empty`, "");
    same((await client.get(`${root}/empty`)).data, buffer(""));
    await client.make(`${root}/zeros`, "\0\0\0\0");
    same((await client.get(`${root}/zeros`)).data, Buffer.alloc(4));
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
    same(await client.exists(`${root}/big`), null);
    same(client.session(), session);
  },

  async unicode(driver, client, root) {
    await client.make(`${root}/ünïcode-日本`, "ünï");
    same((await client.children(root)).names, ["ünïcode-日本"]);
    same(await client.data(`${root}/ünïcode-日本`), "ünï");
  },

  async quota(driver, client, root) {
    const place = `/zookeeper/quota${root}`;
    await client.make(place);
    await client.make(`${place}/zookeeper_limits`, "count=5,bytes=-1");
    await client.make(`${place}/zookeeper_stats`, "count=1,bytes=0");
    await client.make(`${root}/a`, "12345");
    assert.match(await client.data(`${place}/zookeeper_stats`), /^count=2,bytes=5/);
  },
};
