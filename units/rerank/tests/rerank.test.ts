/** Ranking natively: who has the words comes first, rare words weigh more, and equals keep their order. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { rerank, words } from "../src/unit.ts";

const ids = (query: string, ...texts: string[]): string[] =>
  rerank({ query, documents: texts.map((text, index) => ({ id: String(index), text })) }).results.map(({ id }) => id);

test("a document that has the words is before one that has none", () => {
  assert.deepEqual(ids("red fox", "a blue whale", "the red fox runs", "red"), ["1", "2", "0"]);
});

test("a rare word weighs more than one that all have", () => {
  assert.equal(ids("common rare", "common common", "common rare", "common x")[0], "1");
});

test("equals keep their order, and a limit cuts the end", () => {
  assert.deepEqual(ids("nothing", "a", "b", "c"), ["0", "1", "2"]);
  const documents = ["x", "y", "x"].map((text, index) => ({ id: String(index), text }));
  assert.deepEqual(rerank({ query: "x", documents, limit: 2 }).results.map(({ id }) => id), ["0", "2"]);
});

test("words are words in any script", () => {
  assert.deepEqual(words("Grüße, Übermäßig! 東京"), ["grüß", "übermäßig", "東京"]);
  assert.deepEqual(words(""), []);
});
