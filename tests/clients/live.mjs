// Writes through ioredis' cluster mode until its input ends, then checks that every key holds what was last acknowledged.
//
// Usage: live.mjs HOST PORT PASSWORD. Says "ready" once writing works, and at the end how many writes there were.

import { createRequire } from "node:module";

// The folder that scripts/clients fills.
const require = createRequire(`${process.env.CARNELIAN_CLIENTS}/node_modules/`);
const { Cluster } = require("ioredis");

const [host, port, password] = process.argv.slice(2);
const cluster = new Cluster([{ host, port: Number(port) }], {
  clusterRetryStrategy: () => 50,
  retryDelayOnFailover: 50,
  retryDelayOnClusterDown: 50,
  retryDelayOnTryAgain: 20,
  redisOptions: { password, maxRetriesPerRequest: null },
  maxRedirections: 200,
});
// What goes wrong for good is thrown where it was asked for.
cluster.on("error", () => {});

let stopped = false;
process.stdin.resume();
process.stdin.on("end", () => (stopped = true));

const keys = Array.from({ length: 300 }, (_, number) => `js:${number}`);
const kept = new Map();
let writes = 0;
while (!stopped || writes < keys.length) {
  const key = keys[writes % keys.length];
  writes += 1;
  await cluster.set(key, writes);
  kept.set(key, writes);
  if (writes % 10 === 0) {
    // Two keys of one slot, which may be half gone.
    const pair = [`{${key}}a`, `{${key}}b`];
    await cluster.mset(pair[0], writes, pair[1], writes);
    pair.forEach((each) => kept.set(each, writes));
  }
  if (writes === keys.length) console.log("ready");
}

for (const [key, value] of kept) {
  const found = await cluster.get(key);
  if (found !== String(value)) throw new Error(`${key} is ${found}, not ${value}`);
}
console.log(`${writes} writes are kept`);
cluster.disconnect();
