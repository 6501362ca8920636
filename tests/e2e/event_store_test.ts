/** The bundled projector on the event store, on SQLite: two replicas, one owner, SIGKILL. */
import { assert, assertEquals } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { freePort } from "../support/free_port.ts";
import { until } from "../support/until.ts";
import { Installation } from "./server.ts";

const POSITIONS = "position-my_domain.OrderSummaryProjector-my_domain::order";
const TAKEOVER_MS = 5000;
/** What two busy cores may add before we notice it. */
const NOTICING_MS = 1500;

/** Rows of a query against the file that servers are writing. */
function ask(path: string, sql: string, ...values: string[]): Record<string, unknown>[] {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    return database.prepare(sql).all(...values);
  } finally {
    database.close();
  }
}

function summaries(path: string): readonly { readonly id: string; readonly events: number }[] {
  return ask(path, "SELECT id, state FROM protean_my_domain_view_order_summary")
    .map(({ id, state }) => ({ id: String(id), events: Number(JSON.parse(String(state)).events) }));
}

function orders(first: number, count: number): string {
  return Array.from({ length: count }, (_, at) => `{"orderId":"o${first + at}","amount":5}\n`).join("");
}

Deno.test("the projector has one owner among two servers, and another one five seconds after its death", async () => {
  await using installation = await Installation.create();
  const servers = [await installation.start(), await installation.start([], freePort())];
  const [first, second] = servers;
  assert(first && second);
  const send = async (from: number, count: number) => {
    const { code, err } = await installation.command(["send", "PlaceOrder", "-"], {
      input: orders(from, count),
    });
    assertEquals(code, 0, err);
  };
  await send(0, 50);
  await first.until(() => summaries(installation.database).length === 50, "fifty summaries");
  const standsBy = async (server: typeof first) =>
    (await server.log()).includes(`"lock":"subscription:${POSITIONS}"`);
  const waiting = await standsBy(first) ? first : second;
  assertEquals(await standsBy(waiting === first ? second : first), false, "both stand by");
  const owner = waiting === first ? second : first;
  await owner.end("SIGKILL");
  const began = performance.now();
  await send(50, 50);
  await waiting.until(() => summaries(installation.database).length === 100, "a hundred summaries");
  const took = performance.now() - began;
  assert(took < TAKEOVER_MS + NOTICING_MS, `taken over after ${Math.round(took)} ms`);
  await waiting.quiet();
  assertEquals(summaries(installation.database).filter(({ events }) => events !== 1), []);
  assertEquals(await waiting.end("SIGTERM"), 0);
  const [position] = ask(
    installation.database,
    "SELECT data, type FROM messages WHERE stream_name = ? ORDER BY position DESC LIMIT 1",
    POSITIONS,
  );
  const [head] = ask(
    installation.database,
    "SELECT max(global_position) AS head FROM messages WHERE category = 'my_domain::order'",
  );
  assertEquals([position?.type, JSON.parse(String(position?.data)).position], ["Read", head?.head]);
});

Deno.test("a store whose table a newer release has changed ends the start with one sentence", async () => {
  await using installation = await Installation.create();
  const server = await installation.start();
  assertEquals(await server.end("SIGTERM"), 0);
  const database = new DatabaseSync(installation.database);
  database.exec("ALTER TABLE messages RENAME COLUMN metadata TO meta");
  database.close();
  const failed = await installation.launch();
  await until(() => failed.ended !== undefined, "the server to end");
  assertEquals(failed.ended?.code, 2, await failed.log());
});
