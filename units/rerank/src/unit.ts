/**
 * acme/rerank: Okapi BM25 over the given documents alone (Robertson and Zaragoza, "The Probabilistic Relevance Framework:
 * BM25 and Beyond", 2009), with the idf that is never negative. Pure computation, the same answer every time.
 */
import { action } from "remit-unit";

interface Document {
  id: string;
  text: string;
}

interface Request {
  query: string;
  documents: Document[];
  limit?: number;
}

export interface Result {
  id: string;
  score: number;
}

const K1 = 1.2;
const B = 0.75;
const DIGITS = 1e4;

/** Words in small letters, without the endings that English and German plurals have most. */
export function words(text: string): string[] {
  const found = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  return found.map((word) => (word.length > 3 ? word.replace(/(?:es|s|en|e)$/u, "") : word));
}

function counted(list: string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const word of list) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}

export const rerank = action("rerank", ({ query, documents, limit }: Request): { results: Result[] } => {
  const terms = [...new Set(words(query))];
  const lists = documents.map(({ text }) => words(text));
  const counts = lists.map(counted);
  const mean = lists.reduce((sum, list) => sum + list.length, 0) / Math.max(1, lists.length) || 1;
  const idf = new Map(
    terms.map((term) => {
      const having = counts.filter((count) => count.has(term)).length;
      return [term, Math.log(1 + (documents.length - having + 0.5) / (having + 0.5))];
    }),
  );
  const results = documents.map(({ id }, index) => {
    const longer = 1 - B + (B * lists[index].length) / mean;
    const score = terms.reduce((sum, term) => {
      const times = counts[index].get(term) ?? 0;
      return sum + ((idf.get(term) ?? 0) * times * (K1 + 1)) / (times + K1 * longer);
    }, 0);
    return { id, score: Math.round(score * DIGITS) / DIGITS };
  });
  // Sorting is stable: of equals, the one that came first stays first.
  return { results: results.sort((one, other) => other.score - one.score).slice(0, limit ?? results.length) };
});
