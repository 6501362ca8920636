/** Who is told of dead letters: functions on disk, in code, and a webhook (DLQ-7, S38). */
import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { join } from "node:path";
import { alertReceivers } from "../../../lib/dlq/receivers.ts";
import { postToSlack, slackMessage } from "../../../lib/dlq/slack.ts";
import type { DlqAlert } from "../../../lib/domain/dlq_alert.ts";
import { runtimeOf } from "../../../lib/domain/runtime.ts";
import { IncorrectUsageError, ProteanError } from "../../../lib/errors.ts";
import { loadFunction } from "../../../lib/loading/function_module.ts";
import { Domain } from "../../../lib/mod.ts";
import { logged } from "../../support/logged.ts";

const ALERT: DlqAlert = {
  ...{ dlqStream: "my_domain::order:dlq", depth: 120, threshold: 100, handlers: ["Mailer"], topErrors: [] },
  ...{ oldest: undefined, state: "firing" },
};
const GUIDE =
  ":warning: DLQ `my_domain::order:dlq` has 120 messages (threshold 100). Investigate before replaying.";

async function withFolder(files: Readonly<Record<string, string>>, work: (folder: string) => Promise<void>) {
  const folder = await Deno.makeTempDir();
  try {
    for (const [name, text] of Object.entries(files)) {
      const file = join(folder, name);
      await Deno.mkdir(join(file, ".."), { recursive: true });
      await Deno.writeTextFile(file, text);
    }
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const MODULE =
  "export function onDlqAlert(a) { return `told ${a.depth}`; }\nexport default () => 'default';\n" +
  "export const number = 1;\n";

for (
  const [value, answer] of [
    ["./alerts.js#onDlqAlert", "told 120"],
    ["./alerts.js", "default"],
    ["./alerts.js#", "default"],
    ["alerts.js#onDlqAlert", "told 120"],
    ["my/deep/alerts.js#onDlqAlert", "told 120"],
    ["alerts.on_dlq_alert", "told 120"],
    ["alerts.onDlqAlert", "told 120"],
    ["my.deep.alerts.on_dlq_alert", "told 120"],
    ["my.typed.on_dlq_alert", "told 120"],
  ] as const
) {
  Deno.test(`alert_callback = "${value}" is found`, async () => {
    const typed = "export const onDlqAlert = (a: { depth: number }): string => `told ${a.depth}`;";
    await withFolder({
      ...{ "alerts.js": MODULE, "my/deep/alerts.js": MODULE, "my/typed.ts": typed },
    }, async (folder) => {
      const loaded = await loadFunction("alert_callback", value, folder);
      assertEquals(loaded(ALERT), answer);
    });
  });
}

for (
  const [value, reason] of [
    ["./missing.js#f", "missing.js"],
    ["missing.f", "missing.js"],
    ["./alerts.js#number", "exports no function 'number'"],
    ["./alerts.js#toString", "exports no function 'toString'"],
    ["alerts.on_nothing", "exports no function 'on_nothing' or 'onNothing'"],
    ["nodots", "names no module"],
    ["a..f", "names no module"],
    [".f", "names no module"],
    ["alerts.", "names no module"],
    ["./broken.js#f", "broken.js"],
    ["./throws.js#f", "planted"],
    [".", "names no module"],
  ] as const
) {
  Deno.test(`alert_callback = "${value}" is a sentence that says why, and the server starts (S38)`, async () => {
    const files = {
      "alerts.js": MODULE,
      "broken.js": "export {",
      "throws.js": "throw new Error('planted');",
    };
    await withFolder(files, async (folder) => {
      const failed = await assertRejects(() => loadFunction("alert_callback in [server.dlq]", value, folder));
      assertStringIncludes((failed as ProteanError).message, reason);
      assertEquals((failed as ProteanError).code, "CONFIG_UNLOADABLE_FUNCTION");
      await using domain = new Domain("alerting");
      await domain.init({ config: memory({ alert_callback: value }) });
      const records = await logged(async () => {
        assertEquals(await alertReceivers(runtimeOf(domain)), []);
      });
      assertEquals(records.map(({ rawMessage, level }) => [rawMessage, level]), [
        ["dlq_maintenance.callback_unloadable", "warning"],
      ]);
    });
  });
}

function memory(dlq: Readonly<Record<string, unknown>>) {
  return {
    databases: { default: { provider: "memory" } },
    brokers: { default: { provider: "memory" } },
    caches: { default: { provider: "memory" } },
    server: { dlq },
  };
}

Deno.test("functions that are registered in code are told, in the order of registration", async () => {
  await using domain = new Domain("alerting");
  const told: string[] = [];
  domain.onDlqAlert(({ depth }) => void told.push(`one ${depth}`));
  domain.onDlqAlert(({ depth }) => void told.push(`two ${depth}`));
  assertThrows(() => domain.onDlqAlert("no" as never), IncorrectUsageError);
  await domain.init({ config: memory({}) });
  for (const { tell } of await alertReceivers(runtimeOf(domain))) tell(ALERT, new AbortController().signal);
  assertEquals(told, ["one 120", "two 120"]);
  assertThrows(() => domain.onDlqAlert(() => {}), IncorrectUsageError, "after domain.init()");
});

/** A webhook that answers as it is told, and keeps what it was sent. */
async function withSink(
  answer: (call: number, stopped: AbortSignal) => Response | Promise<Response>,
  work: (uri: string, received: { type: string | null; body: unknown }[]) => Promise<void>,
) {
  const received: { type: string | null; body: unknown }[] = [];
  const stop = new AbortController();
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    received.push({ type: request.headers.get("content-type"), body: await request.json() });
    return await answer(received.length, stop.signal);
  });
  try {
    await work(`http://127.0.0.1:${server.addr.port}/services/T0/B0/planted`, received);
  } finally {
    stop.abort();
    await server.shutdown();
  }
}

const never = () => new AbortController().signal;

Deno.test("the webhook is sent the guide's message for Slack", async () => {
  await withSink(() => new Response("ok"), async (uri, received) => {
    await postToSlack(uri, ALERT, never());
    assertEquals(received, [{ type: "application/json", body: { text: GUIDE } }]);
  });
});

Deno.test("a webhook that fails once is asked once more", async () => {
  await withSink((call) => new Response("", { status: call === 1 ? 503 : 200 }), async (uri, received) => {
    await postToSlack(uri, ALERT, never());
    assertEquals(received.length, 2);
  });
});

Deno.test("a webhook that keeps failing, redirects or is away is told of, without its address", async () => {
  const failure = async (uri: string) => {
    const { message } = await assertRejects(() => postToSlack(uri, ALERT, never()), ProteanError);
    assertEquals(message.includes("planted"), false);
    return message;
  };
  await withSink(() => new Response("", { status: 500 }), async (uri, received) => {
    assertStringIncludes(await failure(uri), "it answered 500");
    assertEquals(received.length, 2);
  });
  await withSink(() => new Response("no"), async (elsewhere, never) => {
    const redirect = () => new Response(null, { status: 307, headers: { location: elsewhere } });
    await withSink(redirect, async (uri) => assertStringIncludes(await failure(uri), "a redirect"));
    assertEquals(never, []);
  });
  assertStringIncludes(await failure("http://127.0.0.1:1/planted"), "could not be reached");
  assertStringIncludes(await failure("no address, planted"), "could not be reached");
});

Deno.test("a webhook that does not answer is given up after two seconds, twice", async () => {
  const silent = (_: number, stopped: AbortSignal) =>
    new Promise<Response>((resolve) => stopped.addEventListener("abort", () => resolve(new Response())));
  await withSink(silent, async (uri, received) => {
    await assertRejects(() => postToSlack(uri, ALERT, never()), ProteanError, "within 2 seconds");
    assertEquals(received.length, 2);
  });
});

Deno.test("what stops the server stops the post", async () => {
  const stop = new AbortController();
  await withSink(async (_, stopped) => {
    stop.abort();
    await new Promise((resolve) => stopped.addEventListener("abort", resolve));
    return new Response();
  }, async (uri, received) => {
    await assertRejects(() => postToSlack(uri, ALERT, stop.signal), ProteanError, "it was stopped");
    assertEquals(received.length, 1);
  });
});

Deno.test("an alert that is over has its own words", () => {
  assertEquals(
    slackMessage({ ...ALERT, depth: 3, state: "resolved" }).text,
    ":white_check_mark: DLQ `my_domain::order:dlq` has 3 messages again (threshold 100).",
  );
});
