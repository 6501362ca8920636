/**
 * Databases on the machine's own clock, when somebody puts it by a month (D9, F30).
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { BaseProvider } from "../../../lib/adapters/ports.ts";
import { MemoryProvider } from "../../../lib/adapters/memory/provider.ts";
import { SqliteProvider } from "../../../lib/adapters/sqlite/provider.ts";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import { MarkCleaner } from "../../../lib/maintenance/mark_cleaner.ts";
import { OutboxCleaner } from "../../../lib/outbox/cleaner.ts";
import { published, settleAll } from "../../../lib/testing/conformance/outbox_suite_rig.ts";
import { outboxInsert, writeSet } from "../../../lib/testing/conformance/provider_suite_rig.ts";
import { logged } from "../../support/logged.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const MONTH_MS = 30 * DAY_MS;

/** A clock whose time of day can be put. */
class PutClock extends FakeClock {
  put = 0;

  override now(): number {
    return super.now() + this.put;
  }

  override monotonic(): number {
    return super.now();
  }
}

interface Rig {
  readonly clock: PutClock;
  /** Another process on the same database, after this one has ended; undefined where nothing outlasts it. */
  readonly restart: (() => Promise<BaseProvider>) | undefined;
  readonly provider: BaseProvider;
}

async function open(
  kind: "memory" | "sqlite",
  work: (rig: Rig) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const clock = new PutClock();
  const opened: BaseProvider[] = [];
  const make = async () => {
    await opened.pop()?.close();
    const settings = kind === "sqlite" ? { database_uri: "sqlite:///rows.db" } : {};
    const options = { name: "default", domain: "shop", settings, folder, clock };
    const provider = kind === "sqlite" ? new SqliteProvider(options) : new MemoryProvider(options);
    opened.push(provider);
    await provider.open();
    await provider.setup("own", []);
    return provider;
  };
  try {
    await work({ clock, provider: await make(), restart: kind === "sqlite" ? make : undefined });
  } finally {
    await opened.pop()?.close();
    await Deno.remove(folder, { recursive: true });
  }
}

async function write(provider: BaseProvider, name: string): Promise<void> {
  const session = provider.session();
  await session.mark({ handler: "h", type: "t", messageId: name });
  const outbox = [outboxInsert("shop::order-1", { messageId: name })];
  await session.commit(writeSet({ outbox }));
  await settleAll(provider, published);
}

async function clean(provider: BaseProvider, clock: PutClock): Promise<number> {
  const common = { provider, clock, intervalSeconds: 60, batchSize: 100 };
  const hours = { publishedRetentionHours: 168, abandonedRetentionHours: 168 };
  const rows = await new OutboxCleaner({ ...common, ...hours }).pass();
  return rows + await new MarkCleaner({ ...common, retentionHours: 168 }).pass();
}

const stepped = (records: readonly { readonly rawMessage: unknown }[]) =>
  records.filter(({ rawMessage }) => rawMessage === "maintenance.clock_stepped").length;

for (const kind of ["memory", "sqlite"] as const) {
  Deno.test(`${kind}: a clock put forward by a month removes nothing, and it is said once`, async () => {
    await open(kind, async ({ clock, provider }) => {
      for (let day = 0; day < 3; day++) {
        await write(provider, `m${day}`);
        await clock.advance(DAY_MS);
      }
      clock.put = MONTH_MS;
      await write(provider, "after");
      const records = await logged(async () => {
        assertEquals(await clean(provider, clock), 0);
        await clock.advance(DAY_MS);
        assertEquals(await clean(provider, clock), 0);
      });
      assertEquals(stepped(records), 1);
      // Time that really passes counts: what was written first is a week old now, and what came next is not.
      await clock.advance(3 * DAY_MS + HOUR_MS);
      assertEquals(await clean(provider, clock), 2);
    });
  });

  Deno.test(`${kind}: what is past its retention goes, with the clock as it is`, async () => {
    await open(kind, async ({ clock, provider }) => {
      await write(provider, "m1");
      await clock.advance(5 * DAY_MS);
      await write(provider, "m2");
      await clock.advance(3 * DAY_MS);
      const records = await logged(async () => {
        assertEquals(await clean(provider, clock), 2);
      });
      assertEquals(stepped(records), 0);
    });
  });

  Deno.test(`${kind}: a clock put back by a month writes nothing that is old when it is right again`, async () => {
    await open(kind, async ({ clock, provider }) => {
      await write(provider, "before");
      clock.put = -MONTH_MS;
      await write(provider, "behind");
      await clock.advance(HOUR_MS);
      clock.put = 0;
      await write(provider, "right");
      assertEquals(await clean(provider, clock), 0);
    });
  });
}

Deno.test("sqlite: a month between two starts, stopped or put forward, removes nothing at once", async () => {
  await open("sqlite", async ({ clock, provider, restart }) => {
    await write(provider, "m1");
    await clock.advance(HOUR_MS);
    await write(provider, "m2");
    await clock.advance(MONTH_MS);
    const next = await restart?.();
    if (!next) return;
    await write(next, "m3");
    assertEquals(await clean(next, clock), 0);
    await clock.advance(6 * DAY_MS + 23 * HOUR_MS + 1000);
    assertEquals(await clean(next, clock), 2);
  });
});
