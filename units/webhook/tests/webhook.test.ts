/** Delivering natively: what arrives, what is tried again, and what is given up. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Retry } from "remit-unit";
import { Memory } from "remit-unit/native";

import { notify, told } from "../src/unit.ts";

const URL = "https://hooks.example.com/remit";
const EVENT = { id: "e-7", topic: "ticket.created", data: { id: 7 } } as any;
const host = (replies = { [URL]: "ok" }) => new Memory({ parameters: { url: URL }, replies });

test("an action and an event are delivered", () => {
  host().run(() => {
    assert.deepEqual(notify({ event: "a.b", data: 1 }), { delivered: true, status: 200 });
    assert.deepEqual(told(EVENT), { delivered: true, status: 200 });
  });
});

test("a hook that nobody answers at is tried again later", () => {
  host({}).run(() => assert.throws(() => told(EVENT), (error) => error instanceof Retry && error.afterMs >= 1_000));
});
