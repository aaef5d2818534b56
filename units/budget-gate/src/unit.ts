/** acme/budget-gate: a step proceeds if it is sure enough and can be paid for. Accounts have a budget for each window. */
import { Refused, Retry, action, nowMs, parameters, state } from "remit-unit";

interface Step {
  confidence: number;
  cost: number;
  account?: string;
}

interface Settings {
  floor: number;
  budget: number;
  window_ms: number;
}

export interface Verdict {
  verdict: "proceed" | "abstain" | "wait";
  reason: string;
  left: number;
}

/** What is decided about a step when so much was spent. Pure. */
export function decided(step: Step, spent: number, { floor, budget }: Settings): Verdict {
  const left = Math.max(0, budget - spent);
  if (step.confidence < floor) {
    return { verdict: "abstain", reason: `confidence ${step.confidence} is below ${floor}`, left };
  }
  if (step.cost > left) return { verdict: "wait", reason: `${step.cost} is more than the ${left} that are left`, left };
  return { verdict: "proceed", reason: "", left: left - step.cost };
}

export const decide = action("decide", (step: Step): Verdict => {
  const settings = parameters<Settings>();
  const window = Math.floor(nowMs() / settings.window_ms);
  const key = `spent/${step.account ?? "main"}`;
  const version = state.version(key);
  const before = JSON.parse(state.get(key) ?? "{}") as { window?: number; spent?: number };
  const spent = before.window === window ? (before.spent ?? 0) : 0;
  const verdict = decided(step, spent, settings);
  if (verdict.verdict === "proceed" && step.cost > 0) charge(key, { window, spent: spent + step.cost }, version);
  return verdict;
});

function charge(key: string, entry: object, version: number): void {
  try {
    state.put(key, JSON.stringify(entry), version);
  } catch (error) {
    if (error instanceof Refused && error.code === "conflict") throw new Retry(5, "another step spent at the same time");
    throw error;
  }
}
