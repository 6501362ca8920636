/**
 * The thread that answers the probes of an engine whose own loop may be blocked (HLT-1, design 7). Its
 * messages are in `thread_messages.ts`.
 *
 * @module
 */
import { configureSync } from "@logtape/logtape";
import { systemClock } from "../async/clock.ts";
import { asError, ProteanError } from "../errors.ts";
import { PageRequests } from "./page.ts";
import { ReportedHealth } from "./report.ts";
import { reportedRoutes } from "./reported_routes.ts";
import { HealthServer } from "./server.ts";
import { endWhenToldTwice } from "./told_twice.ts";
import type { FromThread, ThreadSettings, ToThread } from "./thread_messages.ts";

/** What is used of the scope of a worker. */
interface Scope {
  postMessage(message: FromThread): void;
  addEventListener(type: "message", listener: (event: MessageEvent<ToThread>) => void): void;
}

const scope = globalThis as unknown as Scope;
let health: ReportedHealth | undefined;
let server: HealthServer | undefined;

configureSync({
  reset: true,
  sinks: {
    main: ({ level, rawMessage, properties }) => {
      const known = level === "debug" || level === "info" || level === "warning" ? level : "error";
      scope.postMessage({ kind: "log", level: known, event: String(rawMessage), properties });
    },
  },
  loggers: [
    { category: [], sinks: ["main"], lowestLevel: "debug" },
    { category: ["logtape", "meta"], lowestLevel: "fatal" },
  ],
});

const requests = new PageRequests(systemClock, (id) => scope.postMessage({ kind: "page", id }));

async function start({ blockedAfterSeconds, page, ...settings }: ThreadSettings): Promise<void> {
  const reported = health = new ReportedHealth(blockedAfterSeconds);
  void reported.watch(systemClock, new AbortController().signal);
  void endWhenToldTwice({ blocked: () => reported.blocked, clock: systemClock });
  server = new HealthServer({
    ...settings,
    clock: systemClock,
    ...(page && { page: { ...page, text: () => requests.text() } }),
    routes: reportedRoutes(reported, () => scope.postMessage({ kind: "drain" })),
  });
  void server.bound.then((address) => scope.postMessage({ kind: "bound", address }));
  try {
    await server.start();
    scope.postMessage({ kind: "started" });
  } catch (thrown) {
    const code = thrown instanceof ProteanError ? thrown.code : "HEALTH_PORT_TAKEN";
    scope.postMessage({ kind: "refused", message: asError(thrown).message, code });
  }
}

async function obey(message: ToThread): Promise<void> {
  switch (message.kind) {
    case "start":
      return await start(message.settings);
    case "report":
      return health?.heard(message.report);
    case "page":
      return requests.answered(message.id, message.text);
    case "stop":
      await server?.stop();
      scope.postMessage({ kind: "stopped" });
  }
}

scope.addEventListener("message", ({ data }) => void obey(data));
scope.postMessage({ kind: "loaded" });
