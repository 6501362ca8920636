/** Adapters of somebody's own that do not do what they should (S73; issue 14, point 5). */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { ConfigurationError, type Domain, ProteanError } from "@protean/server";
import { MemoryBroker } from "../../../lib/adapters/memory/broker.ts";
import { MemoryCache } from "../../../lib/adapters/memory/cache.ts";
import { MemoryEventStore } from "../../../lib/adapters/memory/event_store.ts";
import { MemoryProvider } from "../../../lib/adapters/memory/provider.ts";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import type { StartOptions } from "../../../lib/domain/startup.ts";
import { inMemory, shop } from "./fixture.ts";

const never = () => new Promise<void>(() => {});
const table = { provider: "mine" };
const MINE = { databases: { default: table }, brokers: { default: table }, caches: { default: table } };

/** Every kind registered as `mine`; what `close` does is given by kind, and which was called is noted. */
function withClose(domain: Domain, closes: Readonly<Record<string, () => Promise<void>>>): string[] {
  const called: string[] = [];
  const close = (kind: string) => {
    called.push(kind);
    return closes[kind]?.() ?? Promise.resolve();
  };
  domain.registerAdapter(
    "provider",
    "mine",
    class extends MemoryProvider {
      override close = () => close("provider");
    },
  );
  domain.registerAdapter(
    "broker",
    "mine",
    class extends MemoryBroker {
      override close = () => close("broker");
    },
  );
  domain.registerAdapter(
    "cache",
    "mine",
    class extends MemoryCache {
      override close = () => close("cache");
    },
  );
  domain.registerAdapter(
    "event_store",
    "mine",
    class extends MemoryEventStore {
      override close = () => close("event_store");
    },
  );
  return called;
}

/** With all of them as `mine`. */
async function init(domain: Domain, clock: FakeClock): Promise<void> {
  const options: StartOptions = { config: inMemory({ ...MINE, event_store: table }), clock };
  await domain.init(options);
}

const ORDER = ["event_store", "broker", "cache", "provider"];

Deno.test("a close() that hangs holds up no other adapter for long, and is told after 1.9 s", async () => {
  const { domain } = shop();
  const called = withClose(domain, { event_store: never, broker: never });
  const clock = new FakeClock();
  await init(domain, clock);
  const closed = domain.close();
  const again = domain.close();
  await clock.advance(900);
  assertEquals(called, ORDER);
  await clock.advance(5000);
  const errors = await closed;
  assertEquals(await again, errors);
  assertEquals(errors.map(({ message }) => message), [
    "The event store 'default' did not close cleanly: close() has not ended within 1.9 s",
    "The broker 'default' did not close cleanly: close() has not ended within 1.9 s",
  ]);
  assertEquals([await domain.close(), clock.pending], [[], 0]);
});

Deno.test("a close() that takes its time is waited for, and the others' turn comes meanwhile", async () => {
  const { domain } = shop();
  const slow = Promise.withResolvers<void>();
  const called = withClose(domain, { event_store: () => slow.promise });
  const clock = new FakeClock();
  await init(domain, clock);
  const closed = domain.close();
  await clock.advance(1800);
  assertEquals(called, ORDER);
  slow.resolve();
  assertEquals([await closed, clock.pending], [[], 0]);
});

for (
  const [how, close] of [
    ["throws before it returns a promise", () => {
      throw new Error("socket is gone");
    }],
    ["rejects with what is no error", () => Promise.reject("socket is gone")],
    ["rejects", () => Promise.reject(new Error("socket is gone"))],
  ] as const
) {
  Deno.test(`a close() that ${how} stops none of the others`, async () => {
    const { domain } = shop();
    const called = withClose(domain, Object.fromEntries(ORDER.map((kind) => [kind, close])));
    await init(domain, new FakeClock());
    const errors = await domain.close();
    assertEquals([called, errors.length], [ORDER, 4]);
    for (const error of errors) {
      assertEquals(error instanceof ProteanError && error.code, "CLOSE_FAILED");
      assertStringIncludes(error.message, "socket is gone");
    }
    assertEquals(await domain.close(), []);
  });
}

Deno.test("a constructor that throws is told with the adapter's name, and what was opened is closed", async () => {
  const { domain } = shop();
  const called = withClose(domain, {});
  domain.registerAdapter(
    "cache",
    "broken",
    class extends MemoryCache {
      private readonly broken = Deno.statSync("/nowhere/at/all");
    },
  );
  const config = inMemory({ ...MINE, event_store: table, caches: { sessions: { provider: "broken" } } });
  const error = await assertRejects(() => domain.init({ config }), ConfigurationError);
  assertEquals(error.code, "ADAPTER_FAILED");
  assertStringIncludes(error.message, "The cache adapter 'broken' ('sessions') cannot be made: ");
  assertEquals(called.sort(), ["broker", "event_store", "provider"]);
});

const lacking: readonly (readonly [kind: string, code: string, missing: string])[] = [
  ["BaseCache", "get() {} set() {} delete() {} ping() {}", "ttl(), keys()"],
  ["BaseCache", "get() {} set() {} delete() {} ping() {} ttl() {} keys = 3", "keys()"],
  ["BaseBroker", "ping() {} publish() {}", "capabilities, length()"],
  [
    "BaseBroker",
    "capabilities = null; ping() {} publish() {} length() {} close = undefined",
    "capabilities, close()",
  ],
  ["BaseEventStore", "", "ping(), append(), read(), last()"],
  [
    "BaseProvider",
    "capabilities = {}; ping() {} setup() {} verify() {} drop() {} truncate() {} session() {}",
    "outbox, cleanMarks()",
  ],
];
const SECTIONS: Readonly<Record<string, string>> = {
  BaseCache: "caches.default",
  BaseBroker: "brokers.default",
  BaseEventStore: "event_store",
  BaseProvider: "databases.default",
};
for (const [base, code, missing] of lacking) {
  Deno.test(`a ${base} from disk that lacks ${missing} is refused at the start, not at the first message`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      const source =
        `import { ${base} } from "@protean/server/adapters";\nexport default class extends ${base} { ${code} }`;
      await Deno.writeTextFile(`${folder}/mine.js`, source);
      const sections = {
        BaseProvider: "databases.default",
        BaseBroker: "brokers.default",
        BaseCache: "caches.default",
      };
      const tables = [...Object.values(sections), "event_store"].map((section) =>
        `[${section}]\nprovider = "${section === SECTIONS[base] ? "./mine.js" : "memory"}"\n`
      );
      await Deno.writeTextFile(`${folder}/domain.toml`, tables.join(""));
      const { domain } = shop();
      const error = await assertRejects(
        () => domain.init({ config: `${folder}/domain.toml` }),
        ConfigurationError,
        `lacks ${missing}: write what is missing`,
      );
      assertEquals(error.code, "ADAPTER_INCOMPLETE");
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
