/**
 * Units for Remit in TypeScript or JavaScript. What the manifest does not declare is not there: using it throws Refused.
 *
 * A build bundles the unit's source with this module and makes the faces that the kernel looks for; a source only
 * registers its actions, reactions and transform.
 */
import { Refused, ask } from "./host.js";

export { Refused };

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** What happened, as a reaction gets it; `data` is decoded. */
export interface Event<Data = any> {
  id: string;
  topic: string;
  source: string;
  subject: string;
  timeMs: number;
  contentType: string;
  data: Data;
  correlationId: string;
  causationId: string;
  replyTo: string;
  hops: number;
  priority: number;
  traceParent: string;
  /** The delivery attempt, from 1. */
  attempt: number;
}

/** A change of a document: RFC 7396 (`merge`) or RFC 6902 (`json-patch`). */
export interface Patch {
  target: string;
  op: "merge" | "json-patch";
  value: unknown;
}

/** The input is not one that this unit takes. The caller is at fault, and is told why. */
export class Rejected extends Error {}

/** Not now: try again later. */
export class Retry extends Error {
  constructor(
    /** How long to wait, in milliseconds. */
    readonly afterMs: number,
    reason = "",
  ) {
    super(reason || `try again in ${afterMs} ms`);
  }
}

type Action = (input: any) => unknown;
const actions = new Map<string, Action>();
const rawActions = new Map<string, (input: string) => string>();
const reactions = new Map<string, (event: any) => unknown>();
const transforms: ((documents: any) => Patch[])[] = [];

/** An action of the unit: takes its input, gives its output. */
export function action<Input = any, Output = unknown>(name: string, run: (input: Input) => Output): typeof run {
  actions.set(name, run);
  return run;
}

/** An action on the input's JSON text, that gives the output's: the fast path. */
export function rawAction(name: string, run: (input: string) => string): typeof run {
  rawActions.set(name, run);
  return run;
}

/** The reaction to a topic. */
export function on<Data = any>(topic: string, run: (event: Event<Data>) => unknown): typeof run {
  reactions.set(topic, run);
  return run;
}

/** The unit's transform: from the documents that it reads, by name, to patches. */
export function transform<Documents = any>(run: (documents: Documents) => Patch[]): typeof run {
  transforms[0] = run;
  return run;
}

/** A patch that merges a value into a document. */
export const merge = (target: string, value: object): Patch => ({ target, op: "merge", value });

/** A patch of a document by operations. */
export const jsonPatch = (target: string, operations: object[]): Patch => ({ target, op: "json-patch", value: operations });

/** The unit's parameters, as its schema validated them. */
export function parameters<Parameters = any>(): Parameters {
  return JSON.parse(ask("parameters", "get") || "{}");
}

/** Says that something happened, when the call commits; gives the event's id. */
export function emit(topic: string, data: unknown = null): string {
  return ask("events", "emit", topic, "application/json", JSON.stringify(data));
}

/** Calls another unit's action, or a plugin's service. */
export function call<Output = any>(name: string, input: unknown = null): Output {
  return JSON.parse(ask("actions", "call", name, JSON.stringify(input)));
}

/** A secret that a grant covers. */
export function secret(name: string): string {
  return ask("secrets", "read", name);
}

/** The unit's own keys. Writes become visible to others when the call commits. */
export const state = {
  get: (key: string): string | undefined => ask("state", "get", key)?.value,
  /** A key's version, 0 where there is none: what `put` may expect. */
  version: (key: string): number => Number(ask("state", "get", key)?.version ?? 0),
  /** Sets a key and gives its version. Throws Refused("conflict") if another version than `expected` is current. */
  put: (key: string, value: string, expected?: number): number => Number(ask("state", "put", key, value, expected)),
  delete: (key: string): boolean => ask("state", "delete", key),
  list: (prefix = "", after = "", limit = 100): string[] => ask("state", "list", prefix, after, limit),
};

/** What a server answered. */
export interface Response {
  status: number;
  headers: [string, string][];
  body: string;
}

/** Requests to where the manifest's grants reach. */
export const http = {
  request(method: string, url: string, options: { headers?: [string, string][]; body?: string; timeoutMs?: number } = {}): Response {
    const { headers = [], body = "", timeoutMs = 10_000 } = options;
    return ask("http", "fetch", { method, url, headers, body, bodyEncoding: "utf8", timeoutMs });
  },
  get(url: string, headers: [string, string][] = []): Response {
    return http.request("GET", url, { headers });
  },
};

/** Files below the paths that the manifest's grants cover. */
export const files = {
  read: (path: string): string => ask("files", "read", path, "utf8"),
  write: (path: string, content: string): number => Number(ask("files", "write", path, content, "utf8")),
  list: (path: string): string[] => ask("files", "list", path),
};

function line(level: string) {
  return (message: string, fields: object = {}): void => ask("log", "write", level, message, JSON.stringify(fields));
}

/** Lines for whoever operates the unit. */
export const log = { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") };

/** Milliseconds since the Unix epoch, by the kernel's clock. */
export const nowMs = (): number => Number(ask("clock", "nowMs"));

/** Whatever goes wrong is the unit's answer: anything else that was thrown would be a trap. */
function answered<Given extends unknown[]>(run: (...given: Given) => string) {
  return (...given: Given): string => {
    try {
      return run(...given);
    } catch (error) {
      if (error instanceof Rejected) throw { tag: "rejected", val: error.message };
      if (error instanceof Retry) throw { tag: "retry", val: { afterMs: error.afterMs, reason: error.message } };
      const said = error instanceof Error ? `${error.name}: ${error.message}\n${error.stack ?? ""}` : String(error);
      throw { tag: "failed", val: said };
    }
  };
}

const text = (value: unknown): string => JSON.stringify(value === undefined ? null : value);

/** The unit's actions, as the kernel calls them. */
export const provider = {
  call: answered((name: string, input: string): string => {
    const raw = rawActions.get(name);
    if (raw !== undefined) return raw(input);
    const run = actions.get(name);
    if (run === undefined) throw new Rejected(`there is no action "${name}"`);
    return text(run(JSON.parse(input)));
  }),
};

/** The unit's reactions, as the kernel calls them. */
export const handler = {
  handle: answered((event: Event<string>): string => {
    const run = reactions.get(event.topic);
    if (run === undefined) throw new Rejected(`nothing reacts to "${event.topic}"`);
    return text(run({ ...event, timeMs: Number(event.timeMs), data: JSON.parse(event.data || "null") }));
  }),
};

/** The unit's transform, as the kernel calls it. */
export const transformer = {
  transform: answered((context: string): string => {
    if (transforms.length === 0) throw new Rejected("this unit has no transform");
    return text({ patches: transforms[0](JSON.parse(context).documents) });
  }),
};
