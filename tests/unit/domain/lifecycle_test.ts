/** `init`, `close`, adapters of one's own (design 5; S73). */
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  BaseBroker,
  ConfigurationError,
  Domain,
  IncorrectUsageError,
  on,
  ProteanError,
  type Row,
} from "@protean/server";
import type { PublishResult } from "@protean/server/adapters";
import { z } from "zod";
import { MemoryBroker } from "../../../lib/adapters/memory/broker.ts";
import { MemoryCache } from "../../../lib/adapters/memory/cache.ts";
import { MemoryEventStore } from "../../../lib/adapters/memory/event_store.ts";
import { MemoryProvider } from "../../../lib/adapters/memory/provider.ts";
import { runtimeOf } from "../../../lib/domain/runtime.ts";
import { inMemory, shop, started } from "./fixture.ts";

/** A domain whose adapters note what happens to them; those named in `broken` fail at it. */
function noting(broken: readonly string[] = []) {
  const my = shop();
  const log: string[] = [];
  const note = (what: string) => {
    log.push(what);
    return broken.includes(what) ? Promise.reject(new Error(`${what} failed`)) : Promise.resolve();
  };
  my.domain.registerAdapter(
    "provider",
    "noting",
    class extends MemoryProvider {
      override open = () => note(`open database ${this.name}`);
      override close = () => note(`close database ${this.name}`);
    },
  );
  my.domain.registerAdapter(
    "broker",
    "noting",
    class extends MemoryBroker {
      override open = () => note(`open broker ${this.name}`);
      override close = () => note(`close broker ${this.name}`);
    },
  );
  my.domain.registerAdapter(
    "cache",
    "noting",
    class extends MemoryCache {
      override open = () => note(`open cache ${this.name}`);
      override close = () => note(`close cache ${this.name}`);
    },
  );
  my.domain.registerAdapter(
    "event_store",
    "noting",
    class extends MemoryEventStore {
      override open = () => note("open event store");
      override close = () => note("close event store");
    },
  );
  const provider = { provider: "noting" };
  const config: Row = {
    databases: { default: provider, second: provider },
    brokers: { default: provider },
    caches: { default: provider },
    event_store: provider,
  };
  return { ...my, log, config };
}

const CLOSING = [
  "close event store",
  "close broker default",
  "close cache default",
  "close database default",
  "close database second",
];

Deno.test("close closes event store, brokers, caches and databases in that order, once", async () => {
  const { domain, log, config } = noting();
  await domain.init({ config });
  log.length = 0;
  const results = await Promise.all([domain.close(), domain.close()]);
  assertEquals(results, [[], []]);
  assertEquals(await domain.close(), []);
  assertEquals(log, CLOSING);
});

Deno.test("an adapter that fails to close does not stop the rest, and close answers what failed", async () => {
  const { domain, log, config } = noting(["close event store", "close cache default"]);
  await domain.init({ config });
  log.length = 0;
  const errors = await domain.close();
  assertEquals(log, CLOSING);
  assertEquals(errors.map((error) => error instanceof ProteanError && error.code), [
    "CLOSE_FAILED",
    "CLOSE_FAILED",
  ]);
  assertEquals(errors.map(({ message }) => message), [
    "The event store 'default' did not close cleanly: close event store failed",
    "The cache 'default' did not close cleanly: close cache default failed",
  ]);
});

Deno.test("await using closes", async () => {
  const { domain, log, config } = noting();
  {
    await using held = domain;
    await held.init({ config });
    log.length = 0;
  }
  assertEquals(log, CLOSING);
});

Deno.test("a domain that is closed can be initialised again, and works", async () => {
  const { domain, PlaceOrder } = shop();
  for (let round = 0; round < 2; round++) {
    await using running = await started(domain);
    assertEquals(await domain.process(PlaceOrder, { orderId: "1", amount: 1 }), 0);
    assert(!running.runtime.closing.aborted);
  }
  await assertRejects(() => domain.process(PlaceOrder, { orderId: "1", amount: 1 }), IncorrectUsageError);
  assertThrows(() => runtimeOf(domain), IncorrectUsageError);
});

Deno.test("closing tells those who wait for it", async () => {
  const { domain } = shop();
  const running = await started(domain);
  let reason: unknown;
  running.runtime.closing.addEventListener("abort", () => reason = running.runtime.closing.reason);
  await domain.close();
  assert(reason instanceof IncorrectUsageError);
});

Deno.test("a domain is initialised once, and elements are declared before", async () => {
  const { domain, Order } = shop();
  await using _running = await started(domain);
  await assertRejects(() => domain.init(), IncorrectUsageError, "is running already");
  const schema = z.object({ id: z.string() });
  const late = [
    () => domain.aggregate("Late", { schema }),
    () => domain.event("Late", { partOf: Order, schema }),
    () => domain.command("Late", { partOf: Order, schema }),
    () => domain.externalEvent("Shop.Late.v1", { schema }),
    () => domain.projection("Late", { schema }),
    () => domain.eventHandler("Late", { partOf: Order, handles: [] }),
    () => domain.registerAdapter("broker", "late", MemoryBroker),
  ];
  for (const declare of late) assertThrows(declare, IncorrectUsageError, "after domain.init()");
});

Deno.test("when one adapter cannot be opened the others are closed again, and init may be tried again", async () => {
  const broken = ["open broker default"];
  const { domain, log, config } = noting(broken);
  await assertRejects(() => domain.init({ config }), Error, "open broker default failed");
  assertEquals(log.filter((what) => what.startsWith("close")), [
    "close event store",
    "close cache default",
    "close broker default",
    "close database second",
    "close database default",
  ]);
  broken.length = 0;
  await domain.init({ config });
  await domain.close();
});

Deno.test("an init that is aborted, or closed in the middle, opens nothing and leaves the domain usable", async () => {
  const { domain, log, config } = noting();
  const aborted = AbortSignal.abort(new Error("stop"));
  await assertRejects(() => domain.init({ config, signal: aborted }), Error, "stop");
  assertEquals(log, []);
  const starting = domain.init({ config });
  const outcome = assertRejects(() => starting, IncorrectUsageError, "closed while it was starting");
  assertEquals(await domain.close(), []);
  // Whoever has awaited close() may start again at once.
  const noted = [...log];
  await domain.init({ config });
  await domain.close();
  await outcome;
  const count = (what: string) => noted.filter((line) => line.startsWith(what)).length;
  assertEquals(count("open"), count("close"));
});

Deno.test("problems of elements, configuration and adapters are each told all at once", async () => {
  const { domain, Order, OrderPlaced } = shop();
  domain.eventHandler("Twice", { partOf: Order, handles: [on(OrderPlaced, () => {})] });
  domain.eventHandler("Twice", { partOf: Order, handles: [on(OrderPlaced, () => {})] });
  domain.projection("Lost", { schema: z.object({ id: z.string() }), provider: "nowhere" });
  const config = inMemory({ event_processing: "sync", unknown_key: 1, outbox: { broker: "nowhere" } });
  const error = await assertRejects(() => domain.init({ config }), ConfigurationError);
  const text = error.problems.map(({ message }) => message).join("\n");
  for (const part of ["handler 'Twice'", "unknown_key", "outbox.broker"]) assertStringIncludes(text, part);
  const valid = inMemory({
    databases: { default: { provider: "memory", managed: false } },
  });
  const second = await assertRejects(() => domain.init({ config: valid }), ConfigurationError);
  assertEquals(second.problems.map(({ key }) => key).filter((key) => key !== undefined), [
    "databases.default.managed",
    "databases.nowhere",
  ]);
  const my = shop();
  const unknown = inMemory({
    brokers: { default: { provider: "kafka" } },
    caches: { default: { provider: "nope" } },
  });
  const third = await assertRejects(() => my.domain.init({ config: unknown }), ConfigurationError);
  assertEquals(third.problems.length, 2);
  assertMatch(third.message, /kafka[\s\S]*nope/);
});

Deno.test("an adapter must extend the base class of its kind", () => {
  const { domain } = shop();
  const register = domain.registerAdapter.bind(domain) as (
    kind: string,
    name: string,
    adapter: unknown,
  ) => void;
  for (const adapter of [class {}, MemoryBroker, BaseBroker.prototype, "MemoryCache", undefined]) {
    assertThrows(
      () => register("cache", "mine", adapter),
      IncorrectUsageError,
      "must be a class that extends BaseCache",
    );
  }
  assertThrows(() => register("queue", "mine", MemoryBroker), IncorrectUsageError, "no adapter kind 'queue'");
  register("broker", "mine", MemoryBroker);
});

const ADAPTER = `
import { BaseBroker } from "@protean/server";
class Kafka extends BaseBroker {
  capabilities = { embedded: false };
  ping() { return Promise.resolve(); }
  publish() { return Promise.resolve([]); }
  length() { return Promise.resolve(0); }
  kind = KIND;
}
`;

Deno.test("an adapter is named in the configuration by its module's path", async (t) => {
  const folder = await Deno.makeTempDir();
  const module = (name: string, kind: string, exports: string) =>
    Deno.writeTextFile(`${folder}/${name}`, ADAPTER.replace("KIND", `"${kind}"`) + exports);
  await module("default.js", "default", "export default Kafka;");
  await module("only.js", "only", "export { Kafka }; export const other = 1;");
  await module("several.js", "several", "export { Kafka }; export class Second extends Kafka {}");
  await Deno.writeTextFile(`${folder}/broken.js`, "throw new Error('broken module');");
  const toml = `${folder}/domain.toml`;
  const init = async (provider: string) => {
    const memory = '[databases.default]\nprovider = "memory"\n[caches.default]\nprovider = "memory"\n' +
      '[event_store]\nprovider = "memory"\n';
    await Deno.writeTextFile(toml, `${memory}[brokers.default]\nprovider = "${provider}"\nservers = "a,b"\n`);
    const { domain } = shop();
    await domain.init({ config: toml });
    const broker = runtimeOf(domain).brokers.get("default") as BaseBroker & { kind?: string };
    await domain.close();
    return broker;
  };
  try {
    for (
      const [provider, kind] of [["./default.js", "default"], ["./only.js", "only"], [
        "./several.js#Kafka",
        "several",
      ]]
    ) {
      await t.step(`as ${provider}`, async () => {
        const broker = await init(provider ?? "");
        assert(broker instanceof BaseBroker);
        assertEquals(broker.kind, kind);
      });
    }
    const wrong = {
      "./missing.js": "missing.js",
      "./broken.js": "broken module",
      "./several.js": "no single export",
      "./default.js#Nope": "'Nope'",
    };
    for (const [provider, part] of Object.entries(wrong)) {
      await t.step(`and not as ${provider}`, async () => {
        const error = await assertRejects(() => init(provider), ConfigurationError);
        assertStringIncludes(error.message, part);
        assertStringIncludes(error.message, provider);
      });
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("an adapter gets its own section, the domain's name, folders and clock", async () => {
  const { domain } = shop();
  const seen: unknown[] = [];
  domain.registerAdapter(
    "broker",
    "kafka",
    class extends BaseBroker {
      readonly capabilities = { embedded: false } as const;
      override open(): Promise<void> {
        const { name, domain, settings, folder, clock } = this.options;
        seen.push(name, domain, settings.servers, folder, clock.now());
        return Promise.resolve();
      }
      ping(): Promise<void> {
        return Promise.resolve();
      }
      publish(): Promise<readonly PublishResult[]> {
        return Promise.resolve([]);
      }
      length(): Promise<number> {
        return Promise.resolve(0);
      }
    },
  );
  const config = inMemory({ brokers: { default: { provider: "kafka", servers: "a,b" } } });
  await using running = await started(domain, { config });
  assertEquals(seen, ["default", "my_domain", "a,b", running.runtime.config.dataFolder, running.clock.now()]);
});

Deno.test("tables are listed by database, those in a cache are not", async () => {
  const { domain } = shop();
  const schema = z.object({ id: z.string() });
  domain.projection("Far", { schema, provider: "second" });
  domain.projection("Cached", { schema, cache: "default" });
  const config = inMemory({ databases: { default: { provider: "memory" }, second: { provider: "memory" } } });
  await using running = await started(domain, { config });
  assertEquals([...running.runtime.tables], [
    ["default", [
      { kind: "aggregate", name: "protean_my_domain_order" },
      { kind: "view", name: "protean_my_domain_view_counter" },
    ]],
    ["second", [{ kind: "view", name: "protean_my_domain_view_far" }]],
  ]);
});

Deno.test("two domains in one process keep to themselves", async () => {
  const [one, two] = [shop(), shop()];
  await using first = await started(one.domain);
  await using second = await started(two.domain);
  assert(first.runtime !== second.runtime);
  await one.domain.unitOfWork((ctx) => ctx.view(one.Counter).put({ id: "a", count: 1 }));
  assertEquals(await two.domain.unitOfWork((ctx) => ctx.view(two.Counter).list()), []);
  assert(one.domain instanceof Domain);
});

for (const name of ["constructor", "toString", "hasOwnProperty", "__proto__"]) {
  Deno.test(`sec-prototype-names: no adapter is called '${name}'`, async () => {
    for (
      const config of [
        inMemory({ databases: { default: { provider: name } } }),
        inMemory({ brokers: { default: { provider: name } } }),
        inMemory({ caches: { default: { provider: name } } }),
        inMemory({ event_store: { provider: name } }),
      ]
    ) {
      const { domain } = shop();
      await assertRejects(
        () => domain.init({ config }),
        ConfigurationError,
        `adapter is called '${name}'`,
      );
    }
  });
}
