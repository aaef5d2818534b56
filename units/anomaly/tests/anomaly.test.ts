/** Counting natively: a burst is told once a window, the usual is not, and quiet times count. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Rejected } from "remit-unit";
import { Memory } from "remit-unit/native";

import { logged, status } from "../src/unit.ts";

const MINUTE = 60_000;
const host = () => new Memory({ parameters: { window_ms: MINUTE, least: 5, sigmas: 3 } });
const line = (minute: number, level = "error") =>
  logged({ timeMs: (1_000 + minute) * MINUTE, data: { service: "shop", level } } as any);

test("a burst is told once in its window", () => {
  const memory = host();
  memory.run(() => {
    for (let minute = 0; minute < 20; minute++) for (let error = 0; error < 4; error++) line(minute);
    assert.deepEqual(memory.events, []);
    for (let error = 0; error < 50; error++) line(20);
  });
  assert.equal(memory.events.length, 1);
  const [topic, data] = memory.events[0] as [string, any];
  assert.equal(topic, "service.anomalous");
  assert.ok(data.usual > 3 && data.usual <= 4 && data.count === data.limit);
});

test("what is many for a quiet service is usual for a loud one", () => {
  const memory = host();
  memory.run(() => {
    for (let minute = 0; minute < 40; minute++) for (let error = 0; error < 30; error++) line(minute);
    const before = memory.events.length;
    for (let error = 0; error < 30; error++) line(40);
    assert.equal(memory.events.length, before);
    line(140);
    assert.ok(status({ service: "shop" }).mean < 1);
  });
});

test("lines that are no errors, or come late, or name no service", () => {
  const memory = host();
  memory.run(() => {
    assert.equal(line(5, "info"), null);
    line(5);
    line(3);
    assert.equal(status({ service: "shop" }).count, 2);
    assert.throws(() => logged({ timeMs: 1, data: null } as any), Rejected);
  });
});
