"use strict";
// Several requests at once: multis, and requests in flight that are answered in order, and sync.
// That order holds for one client; what others see of it is not asked here.

const { buffer, code, fails, same, soon } = require("./harness.js");

module.exports = {
  async multi(driver, client, root) {
    const results = await client.multi([
      ["create", `${root}/a`, buffer("1")],
      ["check", `${root}/a`, 0],
      ["set", `${root}/a`, buffer("2"), 0],
      ["create", `${root}/c`, buffer("")],
      ["remove", `${root}/c`, 0],
    ]);
    same(results.length, 5);
    same(results[0].path, `${root}/a`);
    same(await client.data(`${root}/a`), "2");
    same((await client.children(root)).names, ["a"]);
  },

  async "multi-fails"(driver, client, root) {
    const operations = [
      ["create", `${root}/a`, buffer("1")],
      ["check", `${root}/a`, 3],
      ["remove", `${root}/a`, -1],
    ];
    await fails(code.badVersion, () => client.multi(operations));
    same((await client.children(root)).names, []);
  },

  async pipeline(driver, client, root) {
    const answered = [];
    const reads = [];
    const all = [];
    for (let round = 0; round < 200; round++) {
      all.push(client.write(root, `${round}`, round).then(() => answered.push(2 * round)));
      all.push(client.get(root).then(({ data, stat }) => {
        answered.push(2 * round + 1);
        reads.push(`${data} ${stat.version}`);
      }));
    }
    await soon(Promise.all(all), "all answers");
    same(answered, [...answered.keys()]);
    reads.forEach((read, round) => same(read, `${round} ${round + 1}`));
  },

  async sync(driver, client, root) {
    await client.sync(root);
  },
};
