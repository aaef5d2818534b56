/** A host in memory, for running a unit's module as it is, in a test's own process: no sandbox and no policy. */
import { Refused } from "./host.js";

type Functions = { [name: string]: (...given: any[]) => any };

let current: Memory | undefined;

/** State, events and log of one unit. What is not served is refused as "unavailable". */
export class Memory {
  readonly state = new Map<string, { value: string; version: number }>();
  readonly events: [topic: string, data: unknown][] = [];
  readonly lines: [level: string, message: string][] = [];
  readonly parameters: unknown;
  /** Bodies by URL, for `http`. */
  readonly replies: { [url: string]: string };

  constructor(given: { parameters?: unknown; replies?: { [url: string]: string } } = {}) {
    this.parameters = given.parameters ?? {};
    this.replies = given.replies ?? {};
  }

  /** Runs a function with this host. */
  run<Result>(unit: () => Result): Result {
    const before = current;
    current = this;
    try {
      return unit();
    } finally {
      current = before;
    }
  }

  /** @internal */
  served(): { [face: string]: Functions } {
    return {
      parameters: { get: () => JSON.stringify(this.parameters) },
      log: { write: (level, message) => void this.lines.push([level, message]) },
      clock: { nowMs: () => BigInt(Date.now()) },
      events: { emit: (topic, _type, data) => String(this.events.push([topic, JSON.parse(data)])) },
      state: {
        get: (key) => this.state.get(key),
        put: (key, value, expected) => this.put(key, value, expected),
        delete: (key) => this.state.delete(key),
        list: (prefix, after, limit) =>
          [...this.state.keys()].filter((key) => key.startsWith(prefix) && key > after).sort().slice(0, limit),
      },
      http: {
        fetch: ({ url }) => {
          if (!(url in this.replies)) throw new Refused("unavailable", `nobody answers at ${url}`);
          return { status: 200, headers: [], body: this.replies[url], bodyEncoding: "utf8" };
        },
      },
    };
  }

  private put(key: string, value: string, expected?: number): number {
    const version = this.state.get(key)?.version ?? 0;
    if (expected !== undefined && expected !== version) throw new Refused("conflict", `${key} is at version ${version}`);
    this.state.set(key, { value, version: version + 1 });
    return version + 1;
  }
}

/** What stands for the world natively. */
export const world = new Proxy({} as { [face: string]: Functions }, {
  get(_target, face: string): Functions {
    if (current === undefined) throw new Refused("unavailable", "no host: use new Memory().run(…) of remit-unit/native");
    const found = current.served()[face];
    if (found !== undefined) return found;
    throw new Refused("unavailable", `this host does not offer ${face}`);
  },
});
