import { assertEquals } from "@std/assert";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import { createCli } from "../../../lib/cli/cli.ts";
import { letterDetails } from "../../../lib/cli/dead_letter_view.ts";
import { letterPayload } from "../../../lib/dlq/letter_json.ts";
import { envelope } from "../../../lib/cli/envelope.ts";
import { Progress } from "../../../lib/cli/progress.ts";
import { report } from "../../../lib/cli/report.ts";
import { clipped, table } from "../../../lib/cli/table.ts";
import { printable } from "../../../lib/config/visible.ts";
import { parseDeadLetter } from "../../../lib/message/dead_letter.ts";
import { recordingIo } from "./support.ts";

function cli(terminal = false) {
  const io = recordingIo({ terminal });
  return { ...createCli(io, { domains: {}, config: () => Promise.resolve(undefined) }), recorded: io };
}

function letter(text: string) {
  const queue = "shop::order:dlq";
  return {
    id: "1-0",
    queue,
    subscription: "shop::order",
    letter: parseDeadLetter(text, { stream: queue, id: "1-0" }),
  };
}

Deno.test("a table has aligned columns and no trailing spaces", async () => {
  assertEquals(
    await table(cli(), ["A", "Long title"], [["1", "x"], ["two", "日本"]]),
    "A    Long title\n1    x\ntwo  日本\n",
  );
});

for (
  const [text, shown] of [
    ["plain", "plain"],
    ["two\nlines\ttab", "two lines tab"],
    ["\x1b[31mred\x1b[0m\x9b", " [31mred [0m "],
    ["a\u202etxt.exe\u2066\u200f\u2028b\x7f", "a\\u202etxt.exe\\u2066\\u200f\\u2028b "],
  ] as const
) {
  Deno.test(`${JSON.stringify(text)} cannot drive the terminal`, () => assertEquals(printable(text), shown));
}

for (const [text, width, shown] of [["abcdef", 6, "abcdef"], ["abcdefg", 6, "abc..."]] as const) {
  Deno.test(`'${text}' in ${width} characters is '${shown}'`, () =>
    assertEquals(clipped(text, width), shown));
}

Deno.test("the payload keeps digits that a double cannot hold", () => {
  const payload = letterPayload(letter('{"data":{"big":12345678901234567890,"f":1.0},"_dlq_metadata":{}}'));
  assertEquals(JSON.stringify(payload), '{"data":{"big":12345678901234567890,"f":1.0}}');
});

Deno.test("a letter that is no message is shown as it is", () => {
  const found = letter('{"raw":"no \\u001b json","_dlq_metadata":{"failure_reason":"broken"}}');
  const lines = letterDetails(cli(), found).split("\n");
  assertEquals(lines.includes("Failure Reason: broken"), true);
  assertEquals(lines.slice(lines.indexOf("Payload:"), -1), ["Payload:", "no   json"]);
});

Deno.test("progress is drawn at most ten times a second and taken away", async () => {
  const clock = new FakeClock();
  const watched = cli(true);
  const progress = new Progress(watched, clock);
  progress.clear();
  for (let step = 0; step < 10; step++) {
    progress.update(`${step} sent`, step / 10);
    await clock.advance(50);
  }
  progress.clear();
  const frames = watched.recorded.stderr.split("\r").slice(1);
  assertEquals(frames.length, 6);
  assertEquals(frames.at(-1), "\x1b[K");
  assertEquals(frames[1]?.includes("20 %") && frames[1]?.includes("2 sent"), true);
});

Deno.test("progress is not drawn where nobody watches", () => {
  const alone = cli(false);
  const progress = new Progress(alone, new FakeClock());
  progress.update("1 sent", 0.5);
  progress.clear();
  assertEquals(alone.recorded.stderr, "");
});

/**
 * DEL, a C1 control, a turn of the order of reading, a line end of Unicode's, an escape and a line of its
 * own.
 */
const HOSTILE = "\x7f\x9b31m\u202e\u2028\x1b[2J\nforged";
const DRIVES = /[^\P{Cc}\n]|[\u202a-\u202e\u2066-\u2069\u2028\u2029]/u;

Deno.test("nothing that a dead letter holds drives the terminal, and JSON of it is the same JSON (L8c)", () => {
  const metadata = { failure_reason: HOSTILE, error_stack: `Error\n  at ${HOSTILE}`, handler: HOSTILE };
  const found = letter(JSON.stringify({ data: { [HOSTILE]: HOSTILE }, _dlq_metadata: metadata }));
  const page = letterDetails(cli(), found);
  assertEquals(DRIVES.exec(page), null, page);
  const json = envelope("pass", { payload: letterPayload(found) });
  assertEquals(DRIVES.exec(json), null, json);
  assertEquals(JSON.parse(json).data.payload.data, { [HOSTILE]: HOSTILE });
});

Deno.test("no error drives the terminal (L8c)", () => {
  const watched = cli();
  report(watched, new Error(HOSTILE), ["--log-level=debug"]);
  assertEquals(DRIVES.exec(watched.recorded.stderr), null);
});
