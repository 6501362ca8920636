/**
 * What the examples of documentation comments leave open: a domain, its messages, a handler's context. Elements are
 * declared when an example takes them, so that an example may declare one itself.
 *
 * @module
 */
import { join } from "node:path";
import {
  type AdapterOptions,
  type BatchContext,
  type Context,
  DeadLetter,
  Domain,
  Engine,
  type InitOptions,
  on,
  onBatch,
  type Out,
} from "@protean/server";
import { type CliIo, main, type MainOptions } from "@protean/server/cli";
import type { CacheFixture } from "@protean/server/testing/conformance";
import { type TestDomain, testDomain } from "@protean/server/testing";
import { z } from "zod";
import { FolderCache } from "../../../examples/custom-adapter/folder_cache.ts";
import { recordingIo } from "../cli/support.ts";

const IN_MEMORY = {
  databases: { default: { provider: "memory" } },
  brokers: { default: { provider: "memory" } },
  caches: { default: { provider: "memory" } },
  server: { health: { port: 0 } },
};

/** In memory, whatever file an example names. */
class StagedDomain extends Domain {
  static readonly made: Domain[] = [];

  constructor(name: string) {
    super(name);
    StagedDomain.made.push(this);
  }

  override async init(options: InitOptions = {}): Promise<void> {
    const named = typeof options.config === "object" ? options : { ...options, env: "", config: IN_MEMORY };
    await super.init(named);
  }
}

/** One that keeps its files in the folder of the stage, which no example names. */
class ShelfCache extends FolderCache {
  constructor(options: AdapterOptions) {
    super({ ...options, settings: { ...options.settings, folder: "cache" } });
  }
}

const order = z.object({ orderId: z.string(), amount: z.number(), customer: z.string().default("c-1") });
const row = z.object({ id: z.string(), total: z.number() });

/** Messages are delivered to what an example has declared. */
const PLACED = { orderId: "o-1", amount: 10 };

export class Stage implements AsyncDisposable {
  readonly folder: string = Deno.makeTempDirSync({ prefix: "protean-example-" });
  readonly Domain = StagedDomain;
  readonly domain: Domain = new StagedDomain("my_domain");
  /** What an example has begun and does not wait for. */
  readonly pending: Promise<unknown>[] = [];

  readonly schema = z.object({ id: z.string(), amount: z.number() });
  readonly paymentSchema = order;
  readonly ShelfCache = ShelfCache;
  readonly orderId = "o-1";
  readonly amount: number = 10;
  readonly customer = "c-1";
  events: Out<typeof order>[] = [];
  ctx!: Context & BatchContext;
  engine!: Engine;
  shop!: TestDomain;
  /** Of an operation, a dead letter and a group of them. */
  operation = "";
  fingerprint = "";
  dlqStream = "";
  id = "";
  data: string | undefined;

  readonly #made = new Map<string, unknown>();
  readonly #test: TestDomain[] = [];

  #once<T>(name: string, make: () => T): T {
    if (!this.#made.has(name)) this.#made.set(name, make());
    return this.#made.get(name) as T;
  }

  get Order() {
    return this.#once("Order", () => this.domain.aggregate("Order", { schema: this.schema }));
  }
  get OrderPlaced() {
    return this.#event("OrderPlaced", order);
  }
  get OrderShipped() {
    return this.#event("OrderShipped", z.object({ orderId: z.string() }));
  }
  get OrderFlagged() {
    return this.#event("OrderFlagged", z.object({ orderId: z.string(), reason: z.string() }));
  }
  get PlaceOrder() {
    return this.#command("PlaceOrder", order);
  }
  get ShipOrder() {
    return this.#command("ShipOrder", z.object({ orderId: z.string() }));
  }
  get BookInvoice() {
    return this.#command("BookInvoice", z.object({ orderId: z.string() }));
  }
  get RecordPayment() {
    return this.#command("RecordPayment", order);
  }
  get OrderSummary() {
    return this.#once("OrderSummary", () => this.domain.projection("OrderSummary", { schema: row }));
  }
  get Totals() {
    return this.#once("Totals", () => this.domain.projection("Totals", { schema: row }));
  }

  #event<S extends z.ZodObject>(name: string, schema: S) {
    return this.#once(name, () => this.domain.event(name, { partOf: this.Order, schema }));
  }
  #command<S extends z.ZodObject>(name: string, schema: S) {
    return this.#once(name, () => this.domain.command(name, { partOf: this.Order, schema }));
  }

  /** What talks, waits or ends the process elsewhere. */
  readonly console: Pick<Console, "log" | "warn" | "error"> = { log() {}, warn() {}, error() {} };
  readonly fetch = (_url: string, _init: RequestInit): Promise<Response> =>
    Promise.resolve(new Response("ok"));
  readonly app = (_request: Request): Response => new Response("app");
  readonly AbortController = class extends AbortController {
    constructor() {
      super();
      this.abort();
    }
  };
  readonly Deno = {
    cwd: (): string => this.folder,
    exit: (code: number): void => {
      if (code !== 0) throw new Error(`It ended with ${code}.`);
    },
    serve: (answer: (request: Request) => Promise<Response>): void => {
      this.pending.push(
        answer(new Request("http://localhost/livez")).then(async (response) => {
          if (response.status !== 200) throw new Error(`The probe says ${await response.text()}.`);
        }),
      );
    },
  };
  readonly main = (options: MainOptions): Promise<number> => {
    const io: CliIo = recordingIo();
    return main({ ...options, args: ["config", "print", "--domain=shop"], io });
  };
  readonly cacheConformance = (_name: string, open: () => Promise<CacheFixture>): void => {
    this.pending.push(open().then((fixture) => fixture.close()));
  };

  /** A database with the tables that examples have statements for. */
  async #opened(hasSql: boolean): Promise<TestDomain> {
    const database = { provider: "sqlite", database_uri: `sqlite:///${join(this.folder, "shop.db")}` };
    const config = hasSql ? { databases: { default: database } } : {};
    const test = await testDomain(this.domain, { config });
    this.#test.push(test);
    if (!hasSql) return test;
    await this.domain.unitOfWork(async ({ sql }) => {
      await sql`create table shipments (order_id text)`;
      await sql`create table stock (order_id text, reserved integer)`;
      await sql`create table orders (id text, amount integer)`;
    });
    return test;
  }

  /** Runs `work` within a handler of OrderPlaced, one order having been placed. */
  async handling(hasSql: boolean, inBatch: boolean, work: () => Promise<unknown>): Promise<void> {
    const run = async (events: Out<typeof order>[], ctx: Context | BatchContext): Promise<void> => {
      this.events = events;
      this.ctx = ctx as Context & BatchContext;
      await work();
    };
    const { OrderPlaced } = this;
    this.domain.eventHandler("Example", {
      partOf: this.Order,
      handles: [
        inBatch
          ? onBatch(OrderPlaced, { size: 10 }, (events, ctx) => run([...events], ctx))
          : on(OrderPlaced, (event, ctx) => run([event], ctx)),
      ],
    });
    const test = await this.#opened(hasSql);
    await this.domain.unitOfWork((ctx) =>
      ctx.repository(this.Order).add(this.Order.create({ id: this.orderId, amount: 1 }))
    );
    await test.given(OrderPlaced, PLACED);
  }

  /** Delivers what the domain's own handlers handle; throws the first failure. */
  async deliver(hasSql: boolean): Promise<void> {
    const test = await this.#opened(hasSql);
    if (this.#made.has("OrderPlaced")) await test.given(this.OrderPlaced, PLACED);
    if (this.#made.has("PlaceOrder")) await test.given(this.PlaceOrder, PLACED);
    const { failures: [failure] } = this.#made.has("RecordPayment")
      ? await test.receive("payments", PLACED)
      : test.outcome;
    if (failure) throw failure.error;
  }

  /** A domain that is there, with an order and a dead letter, and an operation that waits to be done. */
  async running(): Promise<void> {
    const { Order, OrderPlaced, PlaceOrder } = this;
    this.domain.commandHandler("OrderCommandHandler", {
      partOf: Order,
      handles: [on(PlaceOrder, async () => {})],
    });
    this.domain.eventHandler("OrderEventHandler", {
      partOf: Order,
      handles: [on(OrderPlaced, () => {
        throw new DeadLetter("not today");
      })],
    });
    const test = await this.#opened(false);
    await this.domain.unitOfWork((ctx) => ctx.repository(Order).add(Order.create({ id: "o-1", amount: 1 })));
    {
      await using server = await test.serve();
      await server.send(OrderPlaced, PLACED);
    }
    const [stats] = await this.domain.deadLetters.stats();
    this.fingerprint = stats?.groups[0]?.fingerprint ?? "";
    for await (const [letter] of this.domain.deadLetters.export({})) {
      if (letter) [this.dlqStream, this.id, this.data] = [letter.dlqStream, letter.id, letter.data];
    }
    const { id } = await this.domain.deadLetters.discard({ handler: "OrderEventHandler" }, { detach: true });
    this.operation = id;
  }

  /** An engine that runs while `work` does. */
  async engaged(work: () => Promise<unknown>): Promise<void> {
    this.engine = new Engine(this.domain);
    const stop = new AbortController();
    const ended = this.engine.run({ signal: stop.signal });
    try {
      await Promise.race([work(), ended]);
    } finally {
      stop.abort();
      await ended;
    }
  }

  /** A test of a domain whose handler `Shipping` never succeeds, or in which orders are shipped. */
  async tested(fails: boolean): Promise<void> {
    const { Order, OrderPlaced, ShipOrder, OrderShipped } = this;
    this.domain.commandHandler("OrderCommandHandler", {
      partOf: Order,
      handles: [on(ShipOrder, async ({ orderId }, ctx) => {
        const shipped = Order.create({ id: orderId, amount: 5 });
        shipped.raise(OrderShipped, { orderId });
        await ctx.repository(Order).add(shipped);
      })],
    });
    this.domain.eventHandler("Shipping", {
      partOf: Order,
      handles: [on(OrderPlaced, () => {
        if (fails) throw new Error("no");
      })],
    });
    if (!fails) return;
    this.shop = await testDomain(this.domain);
    this.#test.push(this.shop);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const test of this.#test) await test[Symbol.asyncDispose]();
    for (const domain of StagedDomain.made.splice(0)) await domain.close();
    await Deno.remove(this.folder, { recursive: true });
  }
}
