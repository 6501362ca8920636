/**
 * A message that comes again, and again at the same time, has one effect, whatever kind of handler it is for:
 * mark and effect are one transaction (delivery 13, 16; PIPE-13).
 */
import { assertEquals, assertRejects } from "@std/assert";
import type { Message, Row } from "@protean/server";
import { on } from "@protean/server";
import type { HandlerKind, HandlerRunner } from "../../lib/domain/handler_port.ts";
import type { DomainRuntime } from "../../lib/domain/runtime.ts";
import { postgresAvailable, sharedPostgres } from "../support/postgres_server.ts";
import { FREE, handle, inMemory, inSqlite, outbox, shop, started } from "../unit/domain/fixture.ts";

const startPostgres = sharedPostgres({ settings: { fsync: "off" } });

interface Backend {
  readonly name: string;
  readonly config: (folder: string) => Promise<Row> | Row;
  readonly ignore?: boolean;
}

const BACKENDS: readonly Backend[] = [
  { name: "memory", config: () => inMemory() },
  { name: "SQLite", config: (folder) => inSqlite(folder) },
  {
    name: "PostgreSQL",
    ignore: !postgresAvailable,
    config: async () => {
      const uri = (await startPostgres()).uri();
      return inMemory({ databases: { default: { provider: "postgresql", database_uri: uri } } });
    },
  },
];

const KINDS: readonly HandlerKind[] = ["command_handler", "event_handler", "projector"];
const DELIVERIES = 6;

/** A domain with one idempotent handler of that kind, which counts what it handles. */
function counting(kind: HandlerKind, before: () => void) {
  const { domain, Order, OrderPlaced, PlaceOrder, Counter } = shop();
  const message = kind === "command_handler" ? PlaceOrder : OrderPlaced;
  const options = {
    idempotent: true,
    handles: [on(message, async ({ orderId }, ctx) => {
      const row = await ctx.view(Counter).get(orderId);
      await ctx.view(Counter).put({ id: orderId, count: (row?.count ?? 0) + 1 });
      await ctx.publish(OrderPlaced, { orderId: `effect-${orderId}`, amount: 1 });
      before();
    })],
  };
  if (kind === "command_handler") domain.commandHandler("Counts", { partOf: Order, ...options });
  else if (kind === "event_handler") domain.eventHandler("Counts", { partOf: Order, ...options });
  else {
    domain.projector("Counts", { projection: Counter, streamCategories: ["my_domain::order"], ...options });
  }
  const send = async (): Promise<void> => {
    const data = { orderId: "o1", amount: 1 };
    if (kind === "command_handler") await domain.process(PlaceOrder, data);
    else await domain.publish(OrderPlaced, data);
  };
  const counts = () => domain.unitOfWork((ctx) => ctx.view(Counter).list());
  return { domain, send, counts };
}

async function prepared(runtime: DomainRuntime, send: () => Promise<void>) {
  for (const [name, provider] of runtime.providers) {
    await provider.setup("all", runtime.tables.get(name) ?? []);
    await provider.truncate(runtime.tables.get(name) ?? []);
  }
  await send();
  const [message] = await outbox(runtime) as readonly Message[];
  const runner = runtime.runners.find(({ name }) => name === "Counts");
  if (!message || !runner) throw new Error("Nothing was sent, or nobody handles it.");
  return { message, runner };
}

async function outcomes(runner: HandlerRunner, message: Message): Promise<string[]> {
  return (await Promise.all(Array.from({ length: DELIVERIES }, () => handle(runner, message)))).sort();
}

for (const { name, config, ignore = false } of BACKENDS) {
  for (const kind of KINDS) {
    Deno.test(
      { name: `${name}: of many deliveries at once to a ${kind} one has the effect`, ignore },
      async () => {
        const folder = await Deno.makeTempDir();
        const { domain, send, counts } = counting(kind, () => {});
        {
          await using running = await started(domain, { config: await config(folder) });
          const { runtime } = running;
          const { message, runner } = await prepared(runtime, send);
          const expected = [...Array.from({ length: DELIVERIES - 1 }, () => "duplicate"), "handled"];
          assertEquals(await outcomes(runner, message), expected);
          assertEquals(await handle(runner, message), "duplicate");
          assertEquals(await counts(), [{ id: "o1", count: 1 }]);
          assertEquals((await outbox(runtime)).length, 1);
        }
        await Deno.remove(folder, { recursive: true });
      },
    );

    Deno.test({
      name: `${name}: a ${kind} that fails, or is not to commit, leaves neither effect nor mark`,
      ignore,
    }, async () => {
      const folder = await Deno.makeTempDir();
      let broken = true;
      const { domain, send, counts } = counting(kind, () => {
        if (broken) throw new Error("not yet");
      });
      {
        await using running = await started(domain, { config: await config(folder) });
        const { runtime } = running;
        const { message, runner } = await prepared(runtime, send);
        await assertRejects(() => handle(runner, message), Error, "not yet");
        broken = false;
        let asked = 0;
        // Lost while it ran: the first question comes before it starts.
        await assertRejects(() => handle(runner, message, { ...FREE, mayCommit: () => asked++ === 0 }));
        assertEquals([await counts(), (await outbox(runtime)).length], [[], 0]);
        assertEquals(await handle(runner, message), "handled");
        assertEquals([await counts(), (await outbox(runtime)).length], [[{ id: "o1", count: 1 }], 1]);
      }
      await Deno.remove(folder, { recursive: true });
    });
  }
}
