/** Tables natively: every value keeps its place, and no cell runs in a spreadsheet. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Rejected } from "remit-unit";

import { extract } from "../src/unit.ts";

test("every row has a cell for every column", () => {
  const value = [{ a: 1 }, { b: { c: [1, 2], d: null } }, 7, { b: { c: [{ e: 1 }] } }];
  const { columns, rows } = extract({ value });
  assert.deepEqual(columns, ["a", "b.c", "b.d", "value"]);
  assert.deepEqual(rows, [[1, "", "", ""], ["", "1; 2", "", ""], ["", "", "", 7], ["", '[{"e":1}]', "", ""]]);
});

test("a cell that a spreadsheet would run is text in CSV", () => {
  for (const evil of ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"]) {
    const { csv } = extract({ value: [{ a: evil }] });
    assert.ok(csv.split("\r\n")[1].replace('"', "").startsWith("'"));
  }
  assert.equal(extract({ value: [{ a: -1 }] }).csv, "a\r\n-1\r\n");
});

test("what is not there is the caller's fault", () => {
  for (const path of ["b", "a.0", "__proto__", "constructor"]) {
    assert.throws(() => extract({ value: { a: 1 }, path }), Rejected);
  }
  assert.throws(() => extract({ value: Array.from({ length: 10_001 }, () => 1) }), Rejected);
});

test("a value nested deeper than columns go is JSON in its cell", () => {
  let value: unknown = 1;
  for (let depth = 0; depth < 50; depth++) value = { x: value };
  const { columns, rows } = extract({ value });
  assert.deepEqual(columns, [Array(8).fill("x").join(".")]);
  assert.match(String(rows[0][0]), /^\{"x":/);
});
