/**
 * The one guard and the one queue of a unit of work, before every real database: what adapters need not see
 * to (the port of providers), users are promised all the same.
 *
 * @module
 */
import { assert, assertEquals, assertFalse, assertRejects, assertStrictEquals } from "@std/assert";
import {
  CommitRefusedError,
  type Context,
  ExpectedVersionError,
  IncorrectUsageError,
  type Row,
} from "@protean/server";
import type { ProviderSession } from "@protean/server/adapters";
import type { FakeClock } from "../../../../lib/testing/fake_clock.ts";
import type { WorkRuntime } from "../../../../lib/domain/runtime.ts";
import { WorkContext } from "../../../../lib/domain/work/context.ts";
import { OUTSIDE } from "../../../../lib/domain/work/outgoing.ts";
import { runUnitOfWork } from "../../../../lib/domain/work/run_unit.ts";
import { ABANDON_AFTER_MS, type Guard } from "../../../../lib/domain/work/sessions.ts";
import type { UnitOfWork } from "../../../../lib/domain/work/unit_of_work.ts";
import { soon } from "../../../../lib/testing/conformance/provider_suite_rig.ts";
import { eventually } from "../../../support/postgres_provider.ts";
import { postgresAvailable, sharedPostgres } from "../../../support/postgres_server.ts";
import { inMemory, inSqlite, type Shop, shop, started } from "../fixture.ts";

const startPostgres = sharedPostgres();

/** A guard in the test's hands. */
class TestGuard implements Guard {
  readonly #abort = new AbortController();
  readonly signal = this.#abort.signal;
  readonly #givenUp = new AbortController();
  readonly givenUp = this.#givenUp.signal;
  #lost = false;

  mayCommit(): boolean {
    return !this.#lost;
  }

  /** Another process has claimed the message. */
  lose(): void {
    this.#lost = true;
    this.cut();
    this.#givenUp.abort();
  }

  /** The drain cuts the handler, which has a moment to end. */
  cut(): void {
    this.#abort.abort(new Error("The drain cuts."));
  }
}

/** A shop on one database. */
interface Rig {
  readonly my: Shop;
  readonly runtime: WorkRuntime;
  readonly clock: FakeClock;
  readonly sql: boolean;
  /** Resolves once a unit of work that has begun to wait for another one does wait. */
  waits(): Promise<void>;
}

type Open = (settings: Row, test: (rig: Rig) => Promise<void>) => Promise<void>;

const memory: Open = async (_, test) => {
  const my = shop();
  await using running = await started(my.domain);
  await test({ my, ...running, sql: false, waits: () => Promise.resolve() });
};

const sqlite: Open = async (_, test) => {
  const folder = await Deno.makeTempDir();
  try {
    const my = shop();
    await using running = await started(my.domain, { config: inSqlite(folder) });
    await test({ my, ...running, sql: true, waits: () => new Promise((resolve) => setTimeout(resolve)) });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
};

const postgres: Open = async (settings, test) => {
  const db = await startPostgres();
  const my = shop();
  const database = { provider: "postgresql", database_uri: db.uri(), ...settings };
  await using running = await started(my.domain, { config: inMemory({ databases: { default: database } }) });
  const { runtime } = running;
  await runtime.providers.get("default")?.setup("all", runtime.tables.get("default") ?? []);
  const lock = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'";
  const waits = () => eventually("The wait for a lock", async () => (await db.sql(lock))[0] === "1");
  await test({ my, ...running, sql: true, waits });
};

interface RuleOptions {
  /** Not on the memory database, which has no SQL and waits for nothing. */
  readonly sql?: boolean;
  /** Of PostgreSQL. */
  readonly settings?: Row;
}

function rule(name: string, test: (rig: Rig) => Promise<void>, options: RuleOptions = {}): void {
  for (const [adapter, open] of Object.entries({ memory, sqlite, postgres })) {
    if (adapter === "memory" && options.sql) continue;
    const ignore = adapter === "postgres" && !postgresAvailable;
    Deno.test({ name: `${name} (${adapter})`, ignore, fn: () => open(options.settings ?? {}, test) });
  }
}

type Job<R> = (ctx: Context, unit: UnitOfWork) => Promise<R>;

/** One unit of work under a guard. */
async function work<R>(
  { runtime }: { readonly runtime: WorkRuntime },
  guard: Guard,
  job: Job<R>,
): Promise<R> {
  const options = { name: "test", origin: OUTSIDE, guard, repeat: false };
  const { value } = await runUnitOfWork(
    runtime,
    options,
    (unit) => job(new WorkContext(unit, guard, "test"), unit),
  );
  return value;
}

const MARK = { handler: "shop.Handler", type: "MyDomain.OrderPlaced.v1", messageId: "m1" };

const order = ({ Order }: Shop, id: string) => Order.create({ id, status: "placed", amount: 1 });

const isStored = async ({ domain, Order }: Shop, id: string): Promise<boolean> =>
  await domain.unitOfWork((ctx) => ctx.repository(Order).find(id)) !== undefined;

/** Every kind of call that touches the database. */
function calls({ my, sql }: Rig, ctx: Context, unit: UnitOfWork): (() => PromiseLike<unknown>)[] {
  const all = [
    () => ctx.repository(my.Order).find("other"),
    () => ctx.view(my.Counter).get("other"),
    () => ctx.view(my.Counter).list(),
    () => unit.claim(MARK),
  ];
  return sql ? [...all, () => ctx.sql`select 1`] : all;
}

for (const touched of [false, true]) {
  const when = touched ? "that has read and written" : "that has touched nothing";
  rule(`a unit of work ${when} is refused every call once its message is lost`, async (rig) => {
    const { my, sql } = rig;
    const guard = new TestGuard();
    const lost = work(rig, guard, async (ctx, unit) => {
      await ctx.repository(my.Order).add(order(my, "1"));
      if (touched) await ctx.repository(my.Order).find("2");
      if (touched && sql) await ctx.sql`select 1`;
      guard.lose();
      for (const call of calls(rig, ctx, unit)) {
        await assertRejects(async () => await call(), CommitRefusedError, "given up");
      }
    });
    await assertRejects(() => lost, CommitRefusedError, "given up");
    assertFalse(await isStored(my, "1"));
    await soon(work(rig, new TestGuard(), (ctx) => ctx.repository(my.Order).add(order(my, "1"))), "A commit");
  });
}

rule("a unit of work that the drain cuts has a moment to end, then it is given up", async (rig) => {
  const { my, clock } = rig;
  const quick = new TestGuard();
  await work(rig, quick, async (ctx) => {
    await ctx.repository(my.Order).find("1");
    quick.cut();
    await clock.advance(ABANDON_AFTER_MS - 1);
    await ctx.repository(my.Order).add(order(my, "1"));
  });
  assert(await isStored(my, "1"));
  const slow = new TestGuard();
  const cut = work(rig, slow, async (ctx, unit) => {
    await ctx.repository(my.Order).add(order(my, "2"));
    await ctx.repository(my.Order).find("1");
    slow.cut();
    await clock.advance(ABANDON_AFTER_MS);
    for (const call of calls(rig, ctx, unit)) {
      await assertRejects(async () => await call(), CommitRefusedError, "given up");
    }
  });
  await assertRejects(() => cut, CommitRefusedError, "given up");
  assertFalse(await isStored(my, "2"));
});

rule("what was given up after its cut does not commit, however late it began", async (rig) => {
  const { my, waits } = rig;
  const [begun, end] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const before = work(rig, new TestGuard(), async (ctx) => {
    await ctx.repository(my.Order).add(order(my, "1"));
    await ctx.sql`select 1`;
    begun.resolve();
    await end.promise;
    throw new Error("rolled back");
  });
  await begun.promise;
  // Leaves an idle connection: after a cut no other is to be had.
  assertFalse(await isStored(my, "2"));
  const guard = new TestGuard();
  const late = work(rig, guard, async (ctx) => {
    guard.cut();
    await ctx.repository(my.Order).find("1");
    await ctx.repository(my.Order).add(order(my, "1"));
  });
  late.catch(() => {});
  await waits();
  guard.lose();
  end.resolve();
  await assertRejects(() => before, Error, "rolled back");
  await assertRejects(() => late, CommitRefusedError, "given up");
  assertFalse(await isStored(my, "1"));
}, { sql: true });

rule("a context does nothing after a commit, a refused commit or a rollback", async (rig) => {
  const { my } = rig;
  const guard = new TestGuard();
  await work(rig, guard, (ctx) => ctx.repository(my.Order).add(order(my, "1")));
  const kept: [Context, UnitOfWork][] = [];
  await work(rig, guard, async (ctx, unit) => {
    kept.push([ctx, unit]);
    await ctx.repository(my.Order).find("1");
  });
  const conflict = work(rig, guard, async (ctx, unit) => {
    kept.push([ctx, unit]);
    await ctx.repository(my.Order).add(order(my, "1"));
  });
  await assertRejects(() => conflict, ExpectedVersionError);
  const failing = work(rig, guard, async (ctx, unit) => {
    kept.push([ctx, unit]);
    await ctx.repository(my.Order).find("1");
    throw new Error("changed my mind");
  });
  await assertRejects(() => failing, Error, "changed my mind");
  assertEquals(kept.length, 3);
  for (const [ctx, unit] of kept) {
    const late = [...calls(rig, ctx, unit), () => ctx.repository(my.Order).add(order(my, "late"))];
    for (const call of late) await assertRejects(async () => await call(), IncorrectUsageError, "has ended");
  }
  assertFalse(await isStored(my, "late"));
});

const WRONG: Readonly<Record<string, (ctx: Context) => PromiseLike<unknown>>> = {
  "is no SQL": (ctx) => ctx.sql`selec 1`,
  "reads a table that is not there": (ctx) => ctx.sql`select * from missing`,
  "breaks a constraint": (ctx) => ctx.sql`insert into effects (name) values (${null})`,
  "is forbidden": (ctx) => ctx.sql`commit`,
};
for (const [what, wrong] of Object.entries(WRONG)) {
  rule(
    `a unit of work whose statement ${what} does nothing more, though the error is swallowed`,
    async (rig) => {
      const { my } = rig;
      await work(
        rig,
        new TestGuard(),
        (ctx) => Promise.resolve(ctx.sql`create table effects (name text not null)`),
      );
      for (const before of [true, false]) {
        let failure: unknown;
        const swallowing = work(rig, new TestGuard(), async (ctx, unit) => {
          if (before) {
            await ctx.sql`insert into effects (name) values ('lost')`;
          }
          await wrong(ctx).then(undefined, (error) => failure = error);
          assert(failure instanceof Error);
          for (const call of calls(rig, ctx, unit)) {
            assertStrictEquals(await call().then(() => undefined, (error) => error), failure);
          }
          await ctx.repository(my.Order).add(order(my, "1"));
        });
        assertStrictEquals(await swallowing.then(() => undefined, (error) => error), failure);
      }
      assertFalse(await isStored(my, "1"));
      const effects = work(rig, new TestGuard(), (ctx) => Promise.resolve(ctx.sql`select name from effects`));
      assertEquals(await effects, []);
    },
    { sql: true },
  );
}

rule("statements that were not awaited run one by one in one transaction", async (rig) => {
  const guard = new TestGuard();
  await work(rig, guard, (ctx) => Promise.resolve(ctx.sql`create table effects (name text not null)`));
  const add = (ctx: Context, name: string) => ctx.sql`insert into effects (name) values (${name})`;
  await work(rig, guard, async (ctx) => {
    await soon(Promise.all(["a", "b", "c"].map((name) => add(ctx, name))), "Three statements at once");
    // Nobody waits for this one before the handler returns.
    void add(ctx, "d").then(() => {});
  });
  const rows = await work(rig, guard, async (ctx) => await ctx.sql`select name from effects order by name`);
  assertEquals(rows.map(({ name }) => name), ["a", "b", "c", "d"]);
  const failing = work(rig, guard, (ctx) => {
    void add(ctx, "e").then(() => {});
    void add(ctx, "f").then(() => {});
    throw new Error("changed my mind");
  });
  await assertRejects(() => failing, Error, "changed my mind");
  assertEquals((await work(rig, guard, async (ctx) => await ctx.sql`select name from effects`)).length, 4);
}, { sql: true });

rule("a call that waits for another unit of work ends when its own is given up", async (rig) => {
  const { my } = rig;
  const gate = Promise.withResolvers<void>();
  const holding = Promise.withResolvers<void>();
  const first = work(rig, new TestGuard(), async (ctx) => {
    await ctx.repository(my.Order).add(order(my, "1"));
    await ctx.sql`select 1`;
    holding.resolve();
    await gate.promise;
  });
  await holding.promise;
  const guard = new TestGuard();
  const second = work(rig, guard, async (ctx) => {
    await ctx.repository(my.Order).add(order(my, "1"));
    await assertRejects(async () => await ctx.sql`select 1`, CommitRefusedError, "given up");
  });
  const refused = assertRejects(() => second, CommitRefusedError, "given up");
  await rig.waits();
  guard.lose();
  await soon(refused, "The end of the one that waits");
  gate.resolve();
  await first;
  assert(await isStored(my, "1"));
}, { sql: true });

rule("a wait for the turn to write or for a connection ends with the signal", async (rig) => {
  const { my } = rig;
  const gate = Promise.withResolvers<void>();
  const holding = Promise.withResolvers<void>();
  const first = work(rig, new TestGuard(), async (ctx) => {
    await ctx.sql`create table effects (name text)`;
    holding.resolve();
    await gate.promise;
  });
  await holding.promise;
  const guard = new TestGuard();
  const second = work(rig, guard, async (ctx) => {
    await ctx.repository(my.Order).add(order(my, "1"));
    await ctx.sql`insert into effects (name) values ('second')`;
  });
  const refused = assertRejects(() => second, CommitRefusedError, "given up");
  // No second passes on the clock.
  guard.cut();
  await soon(refused, "The end of the one that waits");
  gate.resolve();
  await first;
  assertFalse(await isStored(my, "1"));
}, { sql: true, settings: { pool_size: 1, max_overflow: 0 } });

/**
 * A number is of microtasks after the call has begun: some come between an adapter's `await` and what follows
 * it.
 */
const MOMENTS = ["before", 0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, "after"] as const;

/** The runtime whose main database gives the work up at one moment of one call of its session. */
function losing(
  runtime: WorkRuntime,
  guard: TestGuard,
  at: number,
  moment: typeof MOMENTS[number],
): { readonly runtime: WorkRuntime; readonly made: string[] } {
  const made: string[] = [];
  const meet = async <T>(name: string, call: () => Promise<T>): Promise<T> => {
    if (made.push(name) !== at) return await call();
    if (moment === "before") guard.lose();
    const result = call();
    result.catch(() => {});
    if (typeof moment === "number") {
      for (let turn = 0; turn < moment; turn++) await Promise.resolve();
      guard.lose();
    }
    await result;
    if (moment === "after") guard.lose();
    return await result;
  };
  const main = runtime.providers.get("default");
  assert(main);
  const lost = Object.create(main, {
    session: {
      value: (options: { signal?: AbortSignal }): ProviderSession => {
        const session = main.session(options);
        return {
          load: (...args) => meet("load", () => session.load(...args)),
          list: (...args) => meet("list", () => session.list(...args)),
          mark: (...args) => meet("mark", () => session.mark(...args)),
          query: (...args) => meet("query", () => session.query(...args)),
          flush: (...args) => meet("flush", () => session.flush(...args)),
          commit: (...args) => meet("commit", () => session.commit(...args)),
          rollback: () => session.rollback(),
          abandon: () => session.abandon(),
        };
      },
    },
  });
  return { runtime: { ...runtime, providers: new Map([["default", lost]]) }, made };
}

for (const moment of MOMENTS) {
  const when = typeof moment === "number" ? `${moment} turns into` : moment;
  rule(
    `a unit of work that is given up ${when} any call has its whole effect or none`,
    async (rig) => {
      const { my, sql } = rig;
      let last = "";
      for (let at = 1; last !== "commit"; at++) {
        const guard = new TestGuard();
        const { runtime, made } = losing(rig.runtime, guard, at, moment);
        const [id, mark] = [`o${at}`, { ...MARK, messageId: `m${at}` }];
        let went = false;
        const done = await soon(
          work({ runtime }, guard, async (ctx, unit) => {
            assert(await unit.claim(mark));
            went = true;
            await ctx.view(my.Counter).put({ id, count: 1 });
            if (sql) await ctx.sql`select 1`;
            await ctx.repository(my.Order).add(order(my, id));
          }).then(() => true, (error) => {
            assert(error instanceof CommitRefusedError, error);
            return false;
          }),
          "The end of the unit of work",
        );
        last = made[at - 1] ?? "commit";
        if (last === "mark") assertFalse(went, "the call in which the work was given up is refused");
        // The claim waits for whatever the server still does for the one that was given up.
        const claimed = await soon(work(rig, new TestGuard(), (_, unit) => unit.claim(mark)), "A claim");
        assertEquals(await isStored(my, id), !claimed, `${moment} ${last}`);
        // Only a commit that was on its way may have come to be without a word.
        if (done || last !== "commit") assertEquals(!claimed, done, `${moment} ${last}`);
        if (last === "commit" && moment === "after") assert(done, "what is certain is reported");
        if (last === "commit" && moment === "before") assert(claimed, "no commit begins");
        assertEquals(rig.runtime.providers.get("default")?.poolStats()?.checkedOut ?? 0, 0);
      }
    },
  );
}
