/**
 * A process that works on the dead letters of a shop. `deno run -A operations_child.ts '<brokers as JSON>'
 * <verb> <filter as JSON> <options as JSON>`: prints how many letters are done, one line a step, and at
 * last the state.
 *
 * @module
 */
import { Domain, on, type OperationOptions, type Row } from "@protean/server";
import { z } from "zod";
import type { BaseBroker } from "../../lib/adapters/ports.ts";
import { MAIN_BROKER } from "../../lib/domain/places.ts";
import { runtimeOf } from "../../lib/domain/runtime.ts";
import { renderDeadLetter } from "../../lib/message/dead_letter.ts";
import { replayWindow } from "../../lib/operations/window.ts";
import { encodeEvent } from "../support/encode_message.ts";

export const STREAM = "shop::order";
export const QUEUE = `${STREAM}:dlq`;
export const LANE = `${STREAM}:replay:shop.Mailer`;

/** A shop on these brokers, open; what the mailer handles goes to `mailed`. */
export async function openShop(
  brokers: Row,
  { mailed = [], broken = new Set(), databases = { default: { provider: "memory" } }, eventStore }: {
    readonly mailed?: string[];
    /** Ids that the mailer cannot handle. */
    readonly broken?: ReadonlySet<string>;
    readonly databases?: Row;
    readonly eventStore?: Row;
  } = {},
) {
  const domain = new Domain("shop");
  const schema = z.object({ id: z.string() });
  const Order = domain.aggregate("Order", { schema });
  const Placed = domain.event("Placed", { partOf: Order, schema });
  const Shipped = domain.event("Shipped", { partOf: Order, schema });
  domain.eventHandler("Mailer", {
    partOf: Order,
    idempotent: true,
    subscriptionConfig: { claimIntervalMs: 50, maxRetries: 1, circuitBreakerThreshold: 1_000 },
    handles: [
      on(Placed, ({ id }) => {
        if (broken.has(id)) throw new RangeError(`no address for ${id}`);
        mailed.push(id);
      }),
      on(Shipped, ({ id }) => void mailed.push(`${id}!`)),
    ],
  });
  domain.eventHandler("Logger", { partOf: Order, handles: [on(Placed, () => {})] });
  const server = { health: { enabled: false } };
  await domain.init({
    env: "",
    config: {
      server,
      databases,
      brokers: { default: brokers },
      ...(eventStore && { event_store: eventStore }),
    },
  });
  const broker = runtimeOf(domain).brokers.get(MAIN_BROKER);
  if (!broker) throw new Error("The shop has no broker.");
  return { domain, broker, Placed, Shipped };
}

/** Puts so many letters into the mailer's queue. */
export async function bury(broker: BaseBroker, count: number): Promise<void> {
  const entries = Array.from({ length: count }, (_, n) => ({
    stream: QUEUE,
    data: renderDeadLetter(
      encodeEvent({
        type: "Shop.Placed.v1",
        category: STREAM,
        id: `o-${n}`,
        n: 0,
        time: 0,
        data: { id: `o-${n}` },
      }),
      {
        ...{ originalStream: STREAM, originalId: `${n + 1}-0`, consumerGroup: "shop.Mailer", consumer: "c" },
        ...{ handler: "Mailer", retryCount: 1, failedAt: Date.now(), error: new RangeError("no address") },
      },
    ),
  }));
  for (const result of await broker.publish(entries)) if ("error" in result) throw result.error;
}

if (import.meta.main) {
  const [brokers = "", verb = "", filter = "", options = "{}"] = Deno.args;
  const { domain } = await openShop(JSON.parse(brokers));
  const say = (line: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
  const how: OperationOptions = { ...JSON.parse(options), progress: ({ done }) => void say(`done ${done}`) };
  if (verb === "window") {
    const { handler, from, to } = JSON.parse(filter);
    const span = { handler, from: new Date(from), to: new Date(to) };
    const { state } = await replayWindow(runtimeOf(domain), { ...span, ...JSON.parse(options) }, {
      progress: ({ done }) => void say(`done ${done}`),
    });
    say(state);
  } else if (verb === "replay" || verb === "discard" || verb === "purge") {
    const { state } = await domain.deadLetters[verb](JSON.parse(filter), how);
    say(state);
  }
  await domain.close();
}
