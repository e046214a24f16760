#!/usr/bin/env bash
# The CloudEvents SDK for JavaScript cannot read a record as Kafka clients for Node.js hand it over.
#
# Seen on 2026-11-30 with cloudevents 10.0.0 from npm on Node.js 20, Kafka.toEvent:
# - Headers, key and value are Buffers in kafkajs and in the clients after it. With headers of Buffers toEvent raises a TypeError
#   (it calls startsWith on the content type), so each header has to be made a string first. A key left as a Buffer is taken over as
#   it is, and the attribute partitionkey is an object then, not a string.
# - A structured event without `time`, which is optional, raises a RangeError ("Invalid time value").
# - A tombstone (value null) is refused, though isEvent says that it is an event: a compacted topic's deletions need a way around.
# - In binary mode an event without `time` gets the time of reading; one with microseconds loses all below the millisecond.
# - Only application/json is parsed: the data of application/vnd.shop+json stays text.
# Guessed before: that Buffers are what it is made for, and that no `time` stays no `time`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund --save-exact cloudevents@10.0.0
cat >run.js <<'JAVASCRIPT'
const { Kafka } = require("cloudevents");
const base = { ce_specversion: "1.0", ce_id: "1", ce_source: "/shop", ce_type: "order.placed", "content-type": "application/json" };
const record = (headers, value, key = "k") => ({ headers: { ...base, ...headers }, value, key });
const buffers = (headers) => Object.fromEntries(Object.entries({ ...base, ...headers }).map(([k, v]) => [k, Buffer.from(v)]));
const errorOf = (call) => { try { call(); return null; } catch (error) { return `${error.name}: ${error.message}`; } };
function expect(what, seen, expected) {
    console.log(`${what}: ${JSON.stringify(seen)}`);
    if (JSON.stringify(seen) !== JSON.stringify(expected)) {
        console.error(`changed: ${what} was ${JSON.stringify(expected)}`);
        process.exit(1);
    }
}
const json = Buffer.from('{"n":1}');
expect("headers of strings", Kafka.toEvent(record({}, json)).data, { n: 1 });
expect("headers of Buffers", errorOf(() => Kafka.toEvent({ headers: buffers({}), value: json, key: Buffer.from("k") })),
    "TypeError: contentType.startsWith is not a function");
expect("a key of a Buffer", typeof Kafka.toEvent(record({}, json, Buffer.from("k"))).partitionkey, "object");
const structured = { "content-type": "application/cloudevents+json" };
const document = '{"specversion":"1.0","id":"1","source":"/shop","type":"order.placed","data":{}}';
expect("structured, without time", errorOf(() => Kafka.toEvent(record(structured, document))), "RangeError: Invalid time value");
expect("a tombstone is an event", Kafka.isEvent(record({}, null)), true);
expect("a tombstone is read", errorOf(() => Kafka.toEvent(record({}, null))), "TypeError: Value is null or undefined");
expect("binary, without time", typeof Kafka.toEvent(record({}, json)).time, "string");
expect("microseconds", Kafka.toEvent(record({ ce_time: "2026-11-30T10:00:00.123456Z" }, json)).time, "2026-11-30T10:00:00.123Z");
expect("application/vnd.shop+json", Kafka.toEvent(record({ "content-type": "application/vnd.shop+json" }, '{"n":1}')).data, '{"n":1}');
JAVASCRIPT
node run.js
echo "cloudevents-javascript: as described"
