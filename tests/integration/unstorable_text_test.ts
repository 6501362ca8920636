/**
 * U+0000 and half a surrogate pair: no database holds them, so a domain behaves alike on all of them,
 * refusing them where they come in, by the name of the field (issue 10).
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  Domain,
  IncorrectUsageError,
  on,
  onAny,
  ProteanError,
  type Row,
  ValidationError,
} from "@protean/server";
import { z } from "zod";
import { runtimeOf } from "../../lib/domain/runtime.ts";
import { decodeMessage } from "../../lib/message/envelope.ts";
import { handle, inMemory, inSqlite, outbox, runnerOf } from "../unit/domain/fixture.ts";
import { postgresAvailable, sharedPostgres } from "../support/postgres_server.ts";

const start = sharedPostgres();

/** Where a domain is tried, until `close`. */
const BACKENDS: Record<string, () => Promise<{ readonly config: Row; readonly folder?: string }>> = {
  "in memory": () => Promise.resolve({ config: inMemory() }),
  "on SQLite": async () => {
    const folder = await Deno.makeTempDir();
    return { config: inSqlite(folder), folder };
  },
  "on PostgreSQL": async () => {
    const database_uri = (await start()).uri();
    return { config: inMemory({ databases: { default: { provider: "postgresql", database_uri } } }) };
  },
};

function shop() {
  const domain = new Domain("shop");
  const state = z.object({
    id: z.string(),
    note: z.string().optional(),
    lines: z.array(z.object({ name: z.string() })).optional(),
    tags: z.record(z.string(), z.string()).optional(),
  });
  const Order = domain.aggregate("Order", { schema: state });
  const Noted = domain.event("Noted", { partOf: Order, schema: state });
  const Note = domain.command("Note", { partOf: Order, schema: state });
  const View = domain.projection("View", { schema: state });
  const seen: unknown[] = [];
  domain.commandHandler("Commands", { partOf: Order, handles: [on(Note, () => {})] });
  domain.eventHandler("Events", {
    partOf: Order,
    idempotent: true,
    handles: [on(Noted, (data) => void seen.push(data))],
  });
  return { domain, Order, Noted, Note, View, seen };
}

const BAD = {
  "a NUL": ["a\0b", "has a NUL character"],
  "half a surrogate pair": ["a\ud800b", "has half of a surrogate pair"],
  "the other half": ["\udc00", "has half of a surrogate pair"],
} as const;

for (const [where, open] of Object.entries(BACKENDS)) {
  for (const [what, [bad, reason]] of Object.entries(BAD)) {
    Deno.test({
      name: `${what} is refused ${where} by the name of its field`,
      ignore: where === "on PostgreSQL" && !postgresAvailable,
    }, async () => {
      const { config, folder } = await open();
      const { domain, Order, Noted, Note, View, seen } = shop();
      await domain.init({ config });
      const runtime = runtimeOf(domain);
      for (const [name, provider] of runtime.providers) {
        await provider.setup("all", runtime.tables.get(name) ?? []);
      }
      const refused = async (work: () => unknown, path: string) => {
        const error = await assertRejects(async () => await work(), ValidationError);
        assertEquals(error.issues.map(({ path }) => path), [path]);
        assertStringIncludes(error.message, reason);
      };
      try {
        await refused(() => Order.create({ id: bad }), "id");
        await refused(() => Order.create({ id: "1", note: bad }), "note");
        await refused(() => Order.create({ id: "1", lines: [{ name: "x" }, { name: bad }] }), "lines.1.name");
        await refused(() => Order.create({ id: "1", tags: { [bad]: "x" } }), "tags");
        await refused(() => Order.create({ id: "1" }).update({ note: bad }), "note");
        await domain.unitOfWork(async (ctx) => {
          await refused(() => ctx.view(View).put({ id: "1", note: bad }), "note");
          await refused(() => ctx.view(View).put({ id: bad }), "id");
          assertEquals(await ctx.repository(Order).find(bad), undefined);
          assertEquals(await ctx.view(View).get(bad), undefined);
          await ctx.view(View).delete(bad);
          await assertRejects(() => ctx.view(View).list({ after: bad }), IncorrectUsageError, reason);
        });
        await refused(() => domain.process(Note, { id: bad }), "id");
        await refused(() => domain.publish(Noted, { id: bad }), "id");
        await assertRejects(
          () => domain.publish(Noted, { id: "1" }, { id: bad }),
          IncorrectUsageError,
          reason,
        );
        for (const options of [{ idempotencyKey: bad }, { correlationId: bad }]) {
          await assertRejects(() => domain.process(Note, { id: "1" }, options), IncorrectUsageError, reason);
        }
        if (where !== "in memory") {
          const query = domain.unitOfWork(async (ctx) => await ctx.sql`SELECT ${bad}`);
          await assertRejects(() => query, ProteanError, `A parameter of ctx.sql ${reason}`);
        }

        // A payload is a text of ours in every database: it travels, and handlers see it.
        await domain.publish(Noted, { id: "1", note: bad });
        const [sent] = await outbox(runtime);
        assertEquals(sent?.data, { id: "1", note: bad });
        const metadata = { headers: { id: "m", type: "Shop.Noted.v1" }, domain: { kind: "EVENT" } };
        const received = decodeMessage(JSON.stringify({ data: { id: "1", note: bad }, metadata }));
        await handle(runnerOf(runtime, "Events"), received);
        assertEquals(seen, [{ id: "1", note: bad }]);
      } finally {
        await domain.close();
        if (folder !== undefined) await Deno.remove(folder, { recursive: true });
      }
    });
  }
}

Deno.test("metadata that no database holds is refused by the name of its field, where it would be stored", async () => {
  const { domain, seen } = shop();
  const Other = domain.aggregate("Other", { schema: z.object({ id: z.string() }) });
  domain.eventHandler("Any", { partOf: Other, handles: [onAny((data) => void seen.push(data))] });
  await domain.init({ config: inMemory() });
  const judged = (change: Record<string, unknown>, runner = "Events", type = "Shop.Noted.v1") => {
    const headers = { id: "m", type, stream: "s", ...Object(change["headers"]) };
    const text = { data: { id: "1" }, metadata: { domain: { kind: "EVENT" }, ...change, headers } };
    return runnerOf(runtimeOf(domain), runner).judge(decodeMessage(JSON.stringify(text)));
  };
  for (const bad of ["\0", "\ud800", "\udfff"]) {
    for (
      const [change, path] of [
        [{ headers: { id: bad } }, "headers.id"],
        [{ headers: { stream: `s${bad}` } }, "headers.stream"],
        [{ headers: { idempotency_key: bad } }, "headers.idempotency_key"],
        [{ domain: { kind: "EVENT", correlation_id: bad } }, "domain.correlation_id"],
        [{ extensions: { tenant: [bad] } }, "extensions.tenant.0"],
      ] as const
    ) {
      for (const runner of ["Events", "Any"]) {
        const verdict = judged(change, runner);
        assert(verdict.kind === "poison");
        assertStringIncludes(verdict.error.message, `'metadata.${path}' has`);
      }
      assertEquals(judged(change, "Events", "Elsewhere.Done.v1").kind, "foreign");
    }
  }
  assertEquals(judged({ extensions: { a: "😀", b: "\\u0000", c: "\\ud800" } }).kind, "run");
  await domain.close();
});
