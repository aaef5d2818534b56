/** The one door to the host: the world's imports in the sandbox, a Host in use natively. No stability. */
import { world } from "remit-unit-world";

/** The host did not do it. `code` is the WIT's `refusal`: "denied", "exhausted", "not-found" and so on. */
export class Refused extends Error {
  constructor(
    readonly code: string,
    readonly said: string,
  ) {
    super(`${code}: ${said}`);
    this.name = "Refused";
  }
}

/** One host call. Throws Refused if the host refuses, or there is no such interface in the unit's world. */
export function ask(face: string, name: string, ...given: unknown[]): any {
  const found = world[face];
  if (found === undefined) throw new Refused("denied", `unit.toml declares nothing that needs "${face}"`);
  try {
    return found[name](...given);
  } catch (error) {
    // What the world's functions throw carries the host's record.
    const refusal = (error as { payload?: { code: string; message: string } }).payload;
    if (refusal === undefined || refusal.code === undefined) throw error;
    throw new Refused(refusal.code, refusal.message);
  }
}
