/** The gate natively: what it decides follows from confidence, cost and what is left. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Memory } from "remit-unit/native";

import { decide, decided } from "../src/unit.ts";

const SETTINGS = { floor: 0.5, budget: 10, window_ms: 3_600_000 };

test("nothing is spent beyond the budget, whatever comes", () => {
  new Memory({ parameters: SETTINGS }).run(() => {
    let spent = 0;
    for (let step = 0; step < 200; step++) {
      const cost = (step * 7) % 4;
      const said = decide({ confidence: (step % 10) / 10, cost });
      if (said.verdict === "proceed") spent += cost;
      assert.ok(spent <= SETTINGS.budget);
      assert.equal(said.left, SETTINGS.budget - spent);
    }
    assert.equal(spent, SETTINGS.budget);
  });
});

test("what is too unsure abstains and costs nothing", () => {
  assert.equal(decided({ confidence: 0.49, cost: 1 }, 0, SETTINGS).verdict, "abstain");
  assert.equal(decided({ confidence: 0.5, cost: 10 }, 0, SETTINGS).verdict, "proceed");
  assert.equal(decided({ confidence: 1, cost: 0.1 }, 10, SETTINGS).verdict, "wait");
});
