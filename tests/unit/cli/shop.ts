/** A small domain for the command line's tests, and a folder for its databases. */
import { Domain, on } from "@protean/server";
import { z } from "zod";
import { join } from "node:path";
import { main } from "../../../lib/cli/mod.ts";
import { type RecordingIo, recordingIo, type Surroundings } from "./support.ts";

/** A fresh domain each time; `handled` receives what reached the event handler. */
export function shop(handled: string[] = []): Domain {
  const domain = new Domain("shop");
  const Order = domain.aggregate("Order", {
    schema: z.object({ id: z.string(), amount: z.number() }),
  });
  const OrderPlaced = domain.event("OrderPlaced", {
    partOf: Order,
    schema: z.object({ orderId: z.string(), amount: z.number() }),
  });
  const PlaceOrder = domain.command("PlaceOrder", {
    partOf: Order,
    identity: "orderId",
    schema: z.object({ orderId: z.string(), amount: z.number() }),
  });
  domain.commandHandler("OrderCommandHandler", {
    partOf: Order,
    subscriptionConfig: { maxRetries: 1 },
    handles: [on(PlaceOrder, async ({ orderId, amount }, ctx) => {
      if (amount < 0) throw new RangeError(`amount ${amount} is negative`);
      const order = Order.create({ id: orderId, amount });
      order.raise(OrderPlaced, { orderId, amount });
      await ctx.repository(Order).add(order);
    })],
  });
  domain.eventHandler("OrderEventHandler", {
    partOf: Order,
    handles: [on(OrderPlaced, ({ orderId }) => void handled.push(orderId))],
  });
  return domain;
}

/** The outcome of one run of the command line. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly io: RecordingIo;
}

/** Runs commands on the shop, all on the same databases, in a folder that is gone afterwards. */
export class ShopFolder implements AsyncDisposable {
  readonly handled: string[] = [];

  private constructor(readonly folder: string) {}

  static async create(toml = "[server.health]\nenabled = false\n"): Promise<ShopFolder> {
    const folder = await Deno.makeTempDir({ prefix: "protean-cli-" });
    await Deno.writeTextFile(join(folder, "domain.toml"), toml);
    return new ShopFolder(folder);
  }

  /** Writes a file beside domain.toml; returns its path. */
  async write(name: string, text: string): Promise<string> {
    const path = join(this.folder, name);
    await Deno.writeTextFile(path, text);
    return path;
  }

  /** `args` may leave `--domain` out. */
  async run(args: readonly string[], surroundings: Surroundings = {}): Promise<Ran> {
    const io = recordingIo({ cwd: this.folder, ...surroundings });
    const named = args.some((arg) => arg.startsWith("--domain")) ? args : [...args, "--domain=shop"];
    const code = await main({ domains: { shop: shop(this.handled) }, args: named, io });
    return { code, stdout: io.stdout, stderr: io.stderr, io };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}
