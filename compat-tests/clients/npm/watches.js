"use strict";
// Watches: that each kind tells of what it is for, once and before the data, also what happens
// while the client is away. Neither library has persistent ones.

const { order, same, until, watch } = require("./harness.js");

module.exports = {
  async "watch-data"(driver, client, root) {
    const writer = await driver.client();
    await writer.make(`${root}/w`);
    const [one, two] = [watch(), watch()];
    await client.get(`${root}/w`, one);
    await writer.write(`${root}/w`, "1");
    await one.is(`changed ${root}/w`);
    await client.get(`${root}/w`, two);
    await writer.remove(`${root}/w`, -1);
    await two.is(`deleted ${root}/w`);
  },

  async "watch-exists"(driver, client, root) {
    const writer = await driver.client();
    const [one, two] = [watch(), watch()];
    same(await client.exists(`${root}/w`, one), null);
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
    await writer.write(root, "1");
    await writer.write(root, "2");
    await once.is(`changed ${root}`);
    // What was sent before the answer has arrived by then.
    await client.exists(root);
    same(once.events.items, []);
  },

  async "watch-first"(driver, client, root) {
    const writer = await driver.client();
    for (let round = 0; round < 50; round++) {
      const told = watch();
      await client.get(root, told);
      const written = writer.write(root, `${round}`);
      await until("the new data", async () => (await client.data(root)) === `${round}`);
      same(told.events.items, [`changed ${root}`]);
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
    same([changed, created, child].flatMap((it) => it.events.items), []);
    await writer.make(`${root}/w`);
    await created.is(`created ${root}/w`);
    await child.is(`child ${root}`);
    await writer.write(root, "1");
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
};
