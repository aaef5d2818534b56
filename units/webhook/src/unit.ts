/** acme/webhook: posts what happened to one address. What may get better is tried again later, what may not is told. */
import { Refused, Rejected, Retry, action, http, log, on, parameters } from "remit-unit";

interface Notice {
  event: string;
  data?: unknown;
}

export interface Delivery {
  delivered: boolean;
  status: number;
}

const TIMEOUT_MS = 5_000;
const LATER_MS = 30_000;
const TOO_MANY = 429;
const SERVERS_FAULT = 500;

function post(notice: Notice, id = ""): Delivery {
  const { url } = parameters<{ url: string }>();
  const headers: [string, string][] = [["content-type", "application/json"]];
  if (id !== "") headers.push(["idempotency-key", id]);
  const body = JSON.stringify({ event: notice.event, data: notice.data ?? null });
  const { status } = asked(() => http.request("POST", url, { headers, body, timeoutMs: TIMEOUT_MS }));
  if (status === TOO_MANY || status >= SERVERS_FAULT) throw new Retry(LATER_MS, `the hook answered ${status}`);
  if (status >= 300) log.warn("the hook does not take this", { event: notice.event, status });
  return { delivered: status < 300, status };
}

/** What the host refuses for good is the operator's to change; the rest may work later. */
function asked<Answer>(fetch: () => Answer): Answer {
  try {
    return fetch();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (error.code === "unavailable" || error.code === "timed-out") throw new Retry(LATER_MS, error.said);
    if (error.code === "denied") throw new Rejected(`the hook is not within this unit's remit: ${error.said}`);
    throw error;
  }
}

export const notify = action("notify", (notice: Notice): Delivery => post(notice));

// The event's id goes with it: a hook that is told twice can see that it is once.
export const told = on<unknown>("ticket.created", (event) => post({ event: event.topic, data: event.data }, event.id));
