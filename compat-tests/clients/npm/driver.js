"use strict";
// Asks a client library for the behaviours of behaviours.txt. An adapter gives both libraries of
// npm one face: promises, errors with a code, Stats with numbers and hexadecimal ids. An argument
// asks only for behaviours whose name contains it.
//
// It proves that a library does with a server what it does with ZooKeeper. It does not prove TLS
// nor SASL.

const { Driver } = require("./harness.js");

const behaviours = {
  ...require("./znodes.js"),
  ...require("./access.js"),
  ...require("./requests.js"),
  ...require("./watches.js"),
  ...require("./sessions.js"),
  ...require("./ensemble.js"),
};

/** Runs a behaviour with a client and a path of its own, and tells what came of it. */
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
