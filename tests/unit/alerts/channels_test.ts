/** Who is told of alerts, and in which words. */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { alertChannels } from "../../../lib/alerts/channels.ts";
import { ruleSettings } from "../../../lib/alerts/rule_settings.ts";
import { slackText } from "../../../lib/alerts/slack_text.ts";
import { alertsSchema } from "../../../lib/config/schema/alerts.ts";
import type { Alert } from "../../../lib/domain/alert.ts";
import { runtimeOf } from "../../../lib/domain/runtime.ts";
import { ProteanError } from "../../../lib/errors.ts";
import { Domain } from "../../../lib/mod.ts";
import { logged } from "../../support/logged.ts";

function alert(own: Partial<Alert> = {}): Alert {
  return {
    ...{ rule: "check", subject: "pay", state: "firing", since: new Date(0), value: undefined },
    ...{ threshold: undefined, text: "The check pay fails." },
    ...own,
  };
}

async function channelsOf(alerts: Record<string, unknown>, dlq: Record<string, unknown> = {}, file?: string) {
  const folder = await Deno.makeTempDir();
  await using domain = new Domain("shop");
  try {
    if (file !== undefined) await Deno.writeTextFile(join(folder, "alerts.js"), file);
    await domain.init({
      config: {
        ...{ databases: { default: { provider: "memory" } }, brokers: { default: { provider: "memory" } } },
        alerts: { enabled: true, ...alerts },
        server: { dlq },
      },
    });
    const { config } = runtimeOf(domain);
    return await alertChannels({ config: { ...config, folder } });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("the callback is called with one alert, the webhook with all of them", async () => {
  const posted: string[] = [];
  const sink = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    posted.push((await request.json()).text);
    return new Response("ok");
  });
  const address = `http://127.0.0.1:${sink.addr.port}/x`;
  const code = "export const heard = []; export const onAlert = (...a) => void heard.push(a);";
  const channels = await channelsOf({ callback: "./alerts.js#onAlert", webhook: address }, {}, code);
  assertEquals(channels.map(({ name, most }) => [name, most]), [["callback", 1], ["webhook", Infinity]]);
  const { signal } = new AbortController();
  await channels[1]?.tell([alert(), alert({ state: "resolved", text: "Over." })], signal);
  assertEquals(posted, [":warning: `check` The check pay fails.\n:white_check_mark: `check` Over."]);
  await sink.shutdown();
  const error = await assertRejects(async () => await channels[1]?.tell([alert()], signal), ProteanError);
  assertEquals(error.code, "ALERT_WEBHOOK_FAILED");
  assertEquals(error.message.includes(address), false, "the address is a secret");
});

Deno.test("the webhook of [server.dlq] is the default, and what cannot be loaded is left out with a warning", async () => {
  const dlq = { alert_webhook: "http://127.0.0.1:1/x" };
  assertEquals((await channelsOf({}, dlq)).map(({ name }) => name), ["webhook"]);
  assertEquals(await channelsOf({}), []);
  const records = await logged(async () => {
    assertEquals(await channelsOf({ callback: "./none.js#onAlert" }), []);
  });
  const [warning] = records.filter(({ rawMessage }) => rawMessage === "alerts.callback_unloadable");
  assertStringIncludes(String(warning?.properties["error"]), "'./none.js#onAlert' of callback in [alerts]");
});

Deno.test("many alerts are one message that names twenty, and no text is a mention or a link", () => {
  const many = Array.from({ length: 1_000 }, (_, n) => alert({ text: `n ${n}` }));
  const lines = slackText([alert({ state: "resolved" }), ...many]).split("\n");
  assertEquals(lines.length, 21);
  assertEquals(lines[0], ":warning: `check` n 0", "what fires comes first");
  assertStringIncludes(lines[20] ?? "", "… and 981 more");
  const hostile = slackText([alert({ text: `<!channel> & \u001b[31m<http://x|y>\n${"z".repeat(9_999)}` })]);
  for (const char of ["<", ">", "\u001b", "\n"]) assertEquals(hostile.includes(char), false, hostile);
  assertEquals(hostile.length < 600, true);
});

Deno.test("subjects are globs over the whole name", () => {
  const about = (glob: string, subject: string) =>
    ruleSettings(alertsSchema.parse({ rules: { check: { subjects: ["-", glob] } } }).rules).get("check")
      ?.isAbout(subject);
  for (
    const [glob, subject, is] of [
      ["*", "anything\nat all", true],
      ["shop.*", "shop.Mailer", true],
      ["shop.*", "shopXMailer", false],
      ["*Mailer", "shop.Mailer-order", false],
      ["sh?p", "shop", true],
      ["sh?p", "shp", false],
      ["a+(b)[c]{d}|^$\\", "a+(b)[c]{d}|^$\\", true],
      ["sh?p", "sh😀p", true],
      ["***", "", true],
    ] as const
  ) assertEquals(about(glob, subject), is, `${glob} ${subject}`);
});
