/** acme/table: a table of the objects that stand somewhere in a JSON value. Nested members become columns of their own. */
import { Rejected, action } from "remit-unit";

type Cell = string | number | boolean;

interface Request {
  value: unknown;
  path?: string;
  columns?: string[];
}

export interface Table {
  columns: string[];
  rows: Cell[][];
  csv: string;
}

const MOST_ROWS = 10_000;
const MOST_COLUMNS = 200;
const MOST_DEPTH = 8;

export const extract = action("extract", ({ value, path = "", columns }: Request): Table => {
  const found = at(value, path);
  const items = Array.isArray(found) ? found : [found];
  if (items.length > MOST_ROWS) throw new Rejected(`a table has ${MOST_ROWS} rows at most`);
  const records = items.map((item) => flat(item));
  const names = columns ?? [...new Set(records.flatMap((record) => [...record.keys()]))];
  if (names.length > MOST_COLUMNS) throw new Rejected(`a table has ${MOST_COLUMNS} columns at most: name some`);
  const rows = records.map((record) => names.map((name) => record.get(name) ?? ""));
  return { columns: names, rows, csv: names.length === 0 ? "" : [names, ...rows].map(line).join("") };
});

/** The value at a path of keys and indices with dots between. */
function at(value: unknown, path: string): unknown {
  let here = value;
  for (const step of path === "" ? [] : path.split(".")) {
    if (typeof here !== "object" || here === null || !Object.hasOwn(here, step)) {
      throw new Rejected(`there is nothing at "${path}"`);
    }
    here = (here as Record<string, unknown>)[step];
  }
  return here;
}

/** The cells of one item by column. */
function flat(item: unknown, prefix = "", depth = 0, into = new Map<string, Cell>()): Map<string, Cell> {
  if (typeof item !== "object" || item === null) into.set(prefix || "value", cell(item));
  else if (Array.isArray(item) || depth === MOST_DEPTH) into.set(prefix || "value", listed(item));
  else for (const [key, inner] of Object.entries(item)) flat(inner, prefix ? `${prefix}.${key}` : key, depth + 1, into);
  return into;
}

function cell(value: unknown): Cell {
  return value === null || value === undefined ? "" : (value as Cell);
}

function listed(value: object): Cell {
  const plain = Array.isArray(value) && value.every((one) => typeof one !== "object" || one === null);
  return plain ? (value as unknown[]).map((one) => String(cell(one))).join("; ") : JSON.stringify(value);
}

/** A line of CSV (RFC 4180). What a spreadsheet would take for a formula gets a quote in front. */
function line(cells: Cell[]): string {
  const quoted = cells.map((one) => {
    const text = typeof one === "string" && /^[=+@\t\r-]/.test(one) ? `'${one}` : String(one);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  });
  return `${quoted.join(",")}\r\n`;
}
