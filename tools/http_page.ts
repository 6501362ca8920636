/**
 * `docs/reference/http.md`: the paths are those of the tables of routes, and every body that is shown is what
 * the code answers to a snapshot of here.
 *
 * @module
 */
import { systemClock } from "../lib/async/clock.ts";
import { type Answer, drainRequested, engineLiveness } from "../lib/health/bodies.ts";
import { metricsPlace } from "../lib/health/page.ts";
import { answerTo, applicationRoutes, engineRoutes, type Routes } from "../lib/health/routes.ts";
import type { HealthSnapshot, SubscriptionRow } from "../lib/health/types.ts";
import { observatoryRoutes } from "../lib/observatory/server.ts";
import { SAMPLE } from "./observatory_sample.ts";
import { code } from "./reference_table.ts";

const HEAD = `<!-- Made by \`deno task docs\` from lib/health and lib/observatory. Do not edit. -->

# HTTP

A server listens on \`[server.health] host\` and \`port\`, 127.0.0.1:8080 unless they say otherwise; in Kubernetes on every address. With \`--workers N\` the supervisor has the port and answers for all workers. Whatever is asked, nothing waits for a database or a broker: a probe is answered from memory, which a background task keeps fresh.

GET, and HEAD without the body; a connection carries one request. Bodies are compact JSON with \`cache-control: no-store\`. Fields may be added to a body; those below stay.
`;

const row: SubscriptionRow = {
  ...{ name: "OrderEventHandler-my_domain::order", handler_name: "OrderEventHandler" },
  ...{ stream_category: "my_domain::order", lag: 3, pending: 1, status: "lagging", dlq_depth: 0 },
  ...{ lag_seconds: null, subscription_type: "stream", circuit_state: "closed" },
};

const ready: HealthSnapshot = {
  shuttingDown: false,
  components: [
    { kind: "provider", name: "default", status: "ok" },
    { kind: "broker", name: "default", status: "ok" },
    { kind: "event_store", name: "default", status: "ok" },
    { kind: "cache", name: "default", status: "ok" },
  ],
  subscriptions: { total: 1, details: [row] },
  scale: {
    ...{ work: 4, lag: 3, pending: 1, retrying: 0, held: 0, parked: 0, outbox: 0 },
    ...{ oldest_age_seconds: 1.5, unknown: [] },
    subscriptions: { [row.name]: { lag: 3, pending: 1, retrying: 0 } },
  },
};

const away: HealthSnapshot = {
  shuttingDown: false,
  components: [
    { kind: "provider", name: "default", status: "ok" },
    { kind: "broker", name: "default", status: "unavailable", error: "Redis (redis:6379) does not answer." },
  ],
};

const supervised: HealthSnapshot = {
  shuttingDown: false,
  components: [],
  workers: { 1: { status: "ok", pid: 4711, restarts: 0 }, 2: { status: "down", restarts: 1 } },
};

const blank: HealthSnapshot = { shuttingDown: false, components: [] };
const checked: HealthSnapshot = {
  ...blank,
  checks: [
    { name: "pay", status: "failed", error: "Error: no answer", gatesReadiness: false },
    { name: "stock", status: "ok", gatesReadiness: true },
  ],
};

const OBSERVATORY_HEAD = `
## The observatory

\`protean-server observatory\` listens on \`[observatory] host\` and \`port\`, 127.0.0.1:9000 unless they say otherwise. It reads brokers and databases alone, so no server need run, and changes nothing: GET and HEAD, 405 for anything else, 404 for any other path.

With a \`token\` everybody brings it as \`Authorization: Bearer TOKEN\`, else 401. Without one it listens on loopback alone and answers to no host but this machine's names, else 403. What goes wrong is \`{"error":"one sentence"}\`: 400 for what cannot be obeyed, 501 for what an adapter cannot do, 503 for what is away, 500 for a defect, which the log tells.
`;

interface Case {
  readonly when: string;
  readonly answer: Answer;
}

interface Endpoint {
  readonly what: string;
  readonly cases: readonly Case[];
}

const routesOf = (snapshot: HealthSnapshot, alive = true): Routes =>
  engineRoutes(() => alive, () => snapshot, () => {});
const asked = (path: string, snapshot: HealthSnapshot, when: string): Case => ({
  when,
  answer: answerTo("GET", path, routesOf(snapshot)),
});

const liveness: Endpoint = {
  what:
    "Whether a restart would help: the event loop and every read loop keep turning. Nothing else is asked, and it stays 200 to the end of the drain. While the loop is blocked another thread answers.",
  cases: [
    { when: "It turns.", answer: engineLiveness(true) },
    { when: "It is blocked for longer than `blocked_after_seconds`.", answer: engineLiveness(false) },
    { when: "With `--workers 2`.", answer: engineLiveness(true, { 1: "responsive", 2: "starting" }) },
  ],
};

/** By route. One that is not here is an error, so none is forgotten. */
const ENGINE: Readonly<Record<string, Endpoint>> = {
  "/livez": liveness,
  "/healthz": { what: "The same as `/livez`.", cases: [] },
  "/readyz": {
    what:
      "Whether it does its work: every database, broker, cache and the event store answers, and takes what the work asks of it. Subscriptions are shown and never decide; `lag` and `pending` are null where they are not known.",
    cases: [
      asked("/readyz", ready, "Ready."),
      asked("/readyz", away, "Something is away; `reasons` says why, where that is known."),
      asked(
        "/readyz",
        checked,
        "Checks of `domain.check`: `pay` fails. With `gatesReadiness` it would be 503, and stand in `reasons`.",
      ),
      asked("/readyz", { ...blank, starting: true }, "The checks of the start have not ended."),
      asked("/readyz", { ...blank, draining: true }, "After `POST /drainz`."),
      asked("/readyz", { ...blank, shuttingDown: true }, "It drains and will end."),
      asked(
        "/readyz",
        supervised,
        "With `--workers 2`: ready while all are. `starting`, `blocked` and `degraded` are the other states.",
      ),
    ],
  },
  "/scale": {
    what:
      "One number for autoscalers, `work`: what could be worked on now, for all replicas together, so every one of them answers alike. `held` and `parked` are 0 in this version.",
    cases: [
      asked("/scale", ready, "Counted."),
      asked(
        "/scale",
        blank,
        "Not counted yet, or nothing subscribes; autoscalers take it for an error, not for no work.",
      ),
    ],
  },
  "POST /drainz": {
    what:
      "Read nothing more; what runs goes on, and the process stays until its signal. There is no way back. Only for somebody on the same machine, over loopback and without a proxy's or a browser's headers.",
    cases: [
      { when: "From the same machine.", answer: drainRequested(4711) },
      { when: "From elsewhere.", answer: answerTo("POST", "/drainz", routesOf(ready)) },
    ],
  },
};

const APPLICATION: Readonly<Record<string, Endpoint>> = {
  "/livez": {
    what: "The program runs.",
    cases: [{ when: "Always.", answer: answerTo("GET", "/livez", applicationRoutes(() => ready)) }],
  },
  "/healthz": { what: "The same as `/livez`.", cases: [] },
  "/readyz": {
    what:
      "Every adapter of the domain answers; 503 before `domain.init()` and after `domain.close()` as well.",
    cases: [
      { when: "Ready.", answer: answerTo("GET", "/readyz", applicationRoutes(() => ready)) },
      { when: "Something is away.", answer: answerTo("GET", "/readyz", applicationRoutes(() => away)) },
    ],
  },
};

/** Of the observatory. What it answers is asked of a sample. */
const OBSERVATORY: Readonly<Record<string, readonly [what: string, example: string | undefined]>> = {
  "/api/health": [
    "What the domain depends on, and whether a server runs it. Always 200: `status` is `healthy`, `degraded` (something but the broker is away) or `unhealthy`.",
    "/api/health",
  ],
  "/api/subscriptions": [
    "How far each handler and outbox is, by domain. Always 200; a figure that could not be had is null, and `errors` says why.",
    "/api/subscriptions",
  ],
  "/api/outbox": ["How many rows are in which state, by domain. Always 200.", "/api/outbox"],
  "/api/dlq": [
    "Dead letters, the newest first, without their payloads: `?subscription` (a stream category), `?limit` (1 to 200; 100), `?offset` (0 to 10000). 429 while eight others are looking.",
    "/api/dlq",
  ],
  "/api/dlq/": [
    "`/api/dlq/{id}`: one dead letter with its payload; 404 where there is none, 409 where several queues hold that id and `?subscription` does not say which.",
    "/api/dlq/1795366396703-0",
  ],
  "/api/rollups": [
    "What a subscription did, in columns: `?subject` (its `name`), `?from` and `?to` (seconds since 1970, 26 hours apart at most; the last hour), `?step` (seconds, whole minutes; 60). Times are in seconds; `p50` and `p99` are of the critical time, as close as its twelve buckets are, and null where nothing was handled. 501 where the broker keeps none.",
    "/api/rollups?subject=my_domain.OrderEventHandler&from=1795366260&to=1795366380",
  ],
  "/metrics": [
    "What can be seen from outside of the servers, for Prometheus: [metrics.md](metrics.md). Always 200.",
    undefined,
  ],
};

/** The text of the page. */
export async function httpPage(): Promise<string> {
  const { path, contentType } = metricsPlace("/metrics");
  const unknown = answerTo("GET", "/", routesOf(ready));
  const wrong = answerTo("PUT", "/readyz", routesOf(ready));
  return [
    HEAD,
    ...part(routesOf(ready), ENGINE),
    `\n## GET ${path}\n\nWith \`[server.metrics] enabled\`, at its \`path\`: the figures of [metrics.md](metrics.md) as \`${contentType}\`, of all workers at once. 503 where they cannot be had within three seconds.\n`,
    `\n## What else is answered\n\n`,
    `- ${shown(unknown)} for any other path, ${
      shown(wrong)
    } with \`allow: GET, HEAD\` for any other method.\n`,
    "- 400 for what is no request of HTTP/1.1, 431 for a head of more than 16 KiB.\n",
    `\n## In a program of your own\n\n\`createHealthRouter(domain, { prefix })\` of \`@protean/server/health\` answers these below its prefix, and undefined for every other path. \`X-Correlation-ID\`, else \`X-Request-ID\`, is given back under both names.\n`,
    ...part(applicationRoutes(() => ready), APPLICATION, "#"),
    OBSERVATORY_HEAD,
    ...await observatoryPart(),
  ].join("");
}

async function observatoryPart(): Promise<readonly string[]> {
  const routes = observatoryRoutes({ source: SAMPLE, clock: systemClock, databaseType: () => "postgresql" });
  assertSame(routes, OBSERVATORY);
  const parts = Object.entries(OBSERVATORY).map(async ([route, [what, example]]) => {
    const response = example && await routes.get(route)?.(new Request(`http://localhost${example}`));
    const body = response ? `\n\`\`\`\n${response.status} ${await response.text()}\n\`\`\`\n` : "";
    return `\n### GET ${route.endsWith("/") ? `${route}{id}` : route}\n\n${what}\n${body}`;
  });
  return await Promise.all(parts);
}

/** Throws where a route is not described, or what is described is none. */
function assertSame(
  routes: ReadonlyMap<string, unknown>,
  described: Readonly<Record<string, unknown>>,
): void {
  const forgotten = [...routes.keys()].filter((route) => !Object.hasOwn(described, route));
  const dead = Object.keys(described).filter((route) => !routes.has(route));
  if (forgotten.length > 0) throw new Error(`Describe ${forgotten.join(", ")} in tools/http_page.ts.`);
  if (dead.length > 0) throw new Error(`${dead.join(", ")} in tools/http_page.ts is no route any more.`);
}

function part(routes: Routes, endpoints: Readonly<Record<string, Endpoint>>, deeper = ""): string[] {
  assertSame(routes, endpoints);
  return Object.entries(endpoints).map(([route, { what, cases }]) => {
    const title = route.includes(" ") ? route : `GET ${route}`;
    return `\n##${deeper} ${title}\n\n${what}\n${cases.map(entry).join("")}`;
  });
}

function entry({ when, answer }: Case): string {
  return `\n${when}\n\n\`\`\`\n${answer.status} ${JSON.stringify(answer.body)}\n\`\`\`\n`;
}

function shown({ status, body }: Answer): string {
  return `${status} ${code(JSON.stringify(body))}`;
}
