/**
 * acme/anomaly: counts the errors of each service in windows of time, and keeps mean and variance of the earlier windows
 * as exponentially weighted moving ones. By the events' own time, so that a replay tells the same.
 */
import { type Event, Rejected, action, emit, on, parameters, state } from "remit-unit";

interface Line {
  service?: string;
  level?: string;
}

interface Settings {
  window_ms: number;
  least: number;
  sigmas: number;
}

export interface Counter {
  window: number;
  count: number;
  told: boolean;
  /** Of the windows before this one. */
  windows: number;
  mean: number;
  variance: number;
}

const WEIGHT = 0.2;
const MOST_EMPTY = 50;
const FRESH: Counter = { window: 0, count: 0, told: false, windows: 0, mean: 0, variance: 0 };

/** From how many errors on a window is unusual. */
export function limit(counter: Counter, { least, sigmas }: Settings): number {
  return Math.max(least, Math.ceil(counter.mean + sigmas * Math.sqrt(counter.variance)));
}

/** The counter when this window begins: what was counted becomes past, and windows without an error count as zero. */
export function moved(counter: Counter, window: number): Counter {
  if (window <= counter.window) return counter; // an event that came late counts into the current window
  let { mean, variance, windows } = counter;
  const empty = counter.window === 0 ? -1 : Math.min(window - counter.window - 1, MOST_EMPTY);
  for (let past = 0; past <= empty; past++) {
    const off = (past === 0 ? counter.count : 0) - mean;
    mean += WEIGHT * off;
    variance = (1 - WEIGHT) * (variance + WEIGHT * off * off);
    windows++;
  }
  return { window, count: 0, told: false, windows, mean, variance };
}

const kept = (service: string): Counter => JSON.parse(state.get(`service/${service}`) ?? JSON.stringify(FRESH));

export const logged = on<Line>("service.logged", ({ data, timeMs }: Event<Line>) => {
  const { service, level } = data ?? {};
  if (typeof service !== "string" || service === "" || service.length > 100) throw new Rejected("the line names no service");
  if (level !== "error") return null;
  const settings = parameters<Settings>();
  const counter = moved(kept(service), Math.floor(timeMs / settings.window_ms));
  counter.count++;
  const bound = limit(counter, settings);
  if (counter.count >= bound && !counter.told) {
    counter.told = true;
    emit("service.anomalous", { service, count: counter.count, usual: Math.round(counter.mean * 100) / 100, limit: bound });
  }
  state.put(`service/${service}`, JSON.stringify(counter));
  return { count: counter.count, limit: bound };
});

export const status = action("status", ({ service }: { service: string }) => {
  const counter = kept(service);
  const mean = Math.round(counter.mean * 100) / 100;
  return { windows: counter.windows, count: counter.count, mean, limit: limit(counter, parameters<Settings>()) };
});
