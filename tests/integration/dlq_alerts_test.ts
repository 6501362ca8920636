/** From a handler that fails to the alert at Slack: `examples/alerts` in a running server (DLQ-1, DLQ-7). */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { type DlqAlert, Domain, Engine, on } from "../../lib/mod.ts";
import { until } from "../support/until.ts";

Deno.test("a handler's own threshold alerts through the example, a webhook and code (guide)", async () => {
  const posted: string[] = [];
  const sink = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    posted.push(`${new URL(request.url).pathname} ${(await request.json()).text}`);
    return new Response("ok");
  });
  const uri = `http://127.0.0.1:${sink.addr.port}`;
  Deno.env.set("SLACK_DLQ_WEBHOOK", `${uri}/example`);
  const schema = z.object({ id: z.string() });
  const domain = new Domain("alerting");
  const Job = domain.aggregate("Job", { schema });
  const JobPlaced = domain.event("JobPlaced", { partOf: Job, schema });
  domain.eventHandler("Audits", {
    partOf: Job,
    subscriptionConfig: { maxRetries: 1, dlqRetentionHours: 720, dlqAlertThreshold: 2 },
    handles: [on(JobPlaced, () => {
      throw new RangeError("no");
    })],
  });
  const alerts: DlqAlert[] = [];
  domain.onDlqAlert((alert) => void alerts.push(alert));
  const example = fileURLToPath(import.meta.resolve("../../examples/alerts/alerts.ts"));
  await domain.init({
    config: {
      databases: { default: { provider: "memory" } },
      brokers: { default: { provider: "memory" } },
      caches: { default: { provider: "memory" } },
      server: {
        health: { enabled: false },
        dlq: {
          ...{ enabled: true, check_interval_seconds: 0.2, alert_on: "change" },
          ...{ alert_callback: `${example}#onDlqAlert`, alert_webhook: `${uri}/webhook` },
        },
      },
    },
  });
  const stop = new AbortController();
  const running = new Engine(domain).run({ signal: stop.signal });
  try {
    for (const id of ["1", "2"]) await domain.publish(JobPlaced, { id });
    await until(() => posted.length >= 2 && alerts.length >= 1, "the alert to arrive everywhere");
  } finally {
    stop.abort();
    await running;
    await domain.close();
    await sink.shutdown();
    Deno.env.delete("SLACK_DLQ_WEBHOOK");
  }
  assertEquals(
    alerts.map(({ dlqStream, depth, threshold, handlers, topErrors, state }) => ({
      ...{ dlqStream, depth, threshold, handlers, topErrors, state },
    })),
    [{
      ...{ dlqStream: "alerting::job:dlq", depth: 2, threshold: 2, handlers: ["Audits"], state: "firing" },
      topErrors: [{ errorType: "RangeError", count: 2 }],
    }],
  );
  const [byExample = "", byWebhook = ""] = posted.sort();
  const begin = ":warning: DLQ `alerting::job:dlq` has 2 messages (threshold 2). ";
  assertEquals(byExample, `/example ${begin}Mostly: 2 × RangeError. Investigate before replaying.`);
  assertStringIncludes(byWebhook, `/webhook ${begin}Investigate before replaying.`);
});
