/** A small shop and the means to look inside a domain; shared by the tests of `lib/domain/`. */
import { Domain, type Message, type Row } from "@protean/server";
import { z } from "zod";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import type { HandlerRunner, RunOptions } from "../../../lib/domain/handler_port.ts";
import { type DomainRuntime, runtimeOf } from "../../../lib/domain/runtime.ts";
import type { StartOptions } from "../../../lib/domain/startup.ts";
import { takeOutbox } from "../../../lib/testing/delivery.ts";
import type { PublishedMessage } from "../../../lib/testing/outcome.ts";

/** Every adapter in memory; `extra` replaces top-level tables. */
export function inMemory(extra: Row = {}): Row {
  return {
    databases: { default: { provider: "memory" } },
    brokers: { default: { provider: "memory" } },
    caches: { default: { provider: "memory" } },
    event_store: { provider: "memory" },
    ...extra,
  };
}

/** SQLite in `folder`, everything in it. */
export function inSqlite(folder: string, extra: Row = {}): Row {
  const file = `sqlite:///${folder}/shop.db`;
  return inMemory({
    databases: { default: { provider: "sqlite", database_uri: file } },
    event_store: { provider: "sqlite", database_uri: file },
    ...extra,
  });
}

/** Domain `my_domain` with one aggregate, its messages and a projection; handlers are each test's own. */
export function shop() {
  const domain = new Domain("my_domain");
  const Order = domain.aggregate("Order", {
    schema: z.object({ id: z.string(), status: z.string(), amount: z.number() }),
  });
  const schema = z.object({ orderId: z.string(), amount: z.number() });
  const OrderPlaced = domain.event("OrderPlaced", { partOf: Order, schema });
  const PlaceOrder = domain.command("PlaceOrder", { partOf: Order, schema });
  const Counter = domain.projection("Counter", { schema: z.object({ id: z.string(), count: z.number() }) });
  return { domain, Order, OrderPlaced, PlaceOrder, Counter };
}

export type Shop = ReturnType<typeof shop>;

/** Initialises `domain` in memory, closing it at the end of the scope. */
export async function started(
  domain: Domain,
  options: StartOptions = {},
): Promise<AsyncDisposable & { readonly runtime: DomainRuntime; readonly clock: FakeClock }> {
  const clock = new FakeClock();
  const start: StartOptions = { config: inMemory(), clock, ...options };
  await domain.init(start);
  const runtime = runtimeOf(domain);
  return { runtime, clock, [Symbol.asyncDispose]: async () => void await domain.close() };
}

/** Everything in the outbox, in order, which is empty afterwards. */
export async function outbox(runtime: DomainRuntime): Promise<PublishedMessage[]> {
  const all: PublishedMessage[] = [];
  for (let some = await takeOutbox(runtime); some.length > 0; some = await takeOutbox(runtime)) {
    all.push(...some);
  }
  return all;
}

/** What `run` is given for a message that is nobody else's. */
export const FREE: RunOptions = { signal: new AbortController().signal, mayCommit: () => true };

/** Judges and runs. Throws what `poison` would dead-letter. */
export async function handle(
  runner: HandlerRunner,
  message: Message,
  options: RunOptions = FREE,
): Promise<string> {
  const verdict = runner.judge(message);
  if (verdict.kind === "poison") throw verdict.error;
  return verdict.kind === "run" ? await runner.run(message, verdict.plan, options) : verdict.kind;
}

/** The handler of that name. */
export function runnerOf(runtime: DomainRuntime, name: string): HandlerRunner {
  const runner = runtime.runners.find((candidate) => candidate.name === name);
  if (!runner) throw new Error(`No handler is called ${name}.`);
  return runner;
}

/** A message of the shop as it would be read. */
export async function published(
  runtime: DomainRuntime,
  domain: Domain,
  event: Shop["OrderPlaced"],
  data: { orderId: string; amount: number } = { orderId: "1", amount: 5 },
): Promise<Message> {
  await domain.publish(event, data);
  const [message] = await outbox(runtime);
  if (!message) throw new Error("Nothing was published.");
  return { data: message.data, metadata: message.metadata };
}
