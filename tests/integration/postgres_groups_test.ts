/**
 * Commits that travel together, against one transaction each (delivery 25): whatever units of work meet, each
 * has its own outcome, and what is stored is what the committed ones would have left one after the other.
 *
 * @module
 */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import type { Mark, ProviderSession, RowWrite, SessionOptions } from "../../lib/adapters/ports.ts";
import { LOCK_TIMEOUT_MS } from "../../lib/adapters/postgres/groups/statements.ts";
import {
  CommitRefusedError,
  DuplicateMessageError,
  ExpectedVersionError,
  IncorrectUsageError,
  MessageConflictError,
  ProteanError,
  UnavailableError,
  ValidationError,
} from "../../lib/errors.ts";
import { outboxInsert, soon, sql, writeSet } from "../../lib/testing/conformance/provider_suite_rig.ts";
import { eventually, ORDERS, TestProvider } from "../support/postgres_provider.ts";
import { type PostgresDatabase, postgresTest, sharedPostgres } from "../support/postgres_server.ts";

const start = sharedPostgres({ settings: { max_connections: "60", deadlock_timeout: "1s" } });
const VIEW = "protean_shop_view_counter";
const TABLES = [{ kind: "aggregate", name: ORDERS }, { kind: "view", name: VIEW }] as const;
const NAMED = { query: "application_name=shop" };

/** Numbers from 0 to 1 that a seed determines (mulberry32). */
function seeded(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

async function ready(db: PostgresDatabase, settings: Record<string, unknown> = {}): Promise<TestProvider> {
  const provider = await TestProvider.ready({ uri: db.uri(NAMED), settings });
  await provider.setup("all", TABLES);
  return provider;
}

const row = (id: string, expected: number | undefined, state: unknown = {}, table = ORDERS): RowWrite => ({
  table,
  id,
  expected,
  state: state === undefined ? undefined : JSON.stringify(state),
});
const mark = (messageId: string, checksum?: string): Mark => ({
  handler: "h",
  type: "t",
  messageId,
  checksum,
});

/** One unit of work of the model. */
interface Unit {
  readonly number: number;
  readonly marks: readonly Mark[];
  readonly fresh: boolean;
  readonly rows: readonly RowWrite[];
  /** A row that a constraint refuses. */
  readonly poison: boolean;
  /** Given up so many turns after its commit was called; undefined: never. */
  readonly abandoned: number | undefined;
  /** Its message is lost before its commit is sent. */
  readonly refused: boolean;
}

type Outcome =
  | "committed"
  | "duplicate"
  | "conflict"
  | "version"
  | "data"
  | "given up"
  | "refused"
  | "unknown";

function unit(random: () => number, number: number): Unit {
  const pick = (most: number) => Math.floor(random() * most);
  const rows = new Map<string, RowWrite>();
  for (let count = pick(4); count > 0; count--) {
    const id = `o${pick(12)}`;
    // Versions of rows that are often written: some fit, most do not.
    const expected = random() < 0.5 ? undefined : pick(4) - 1;
    rows.set(`${ORDERS} ${id}`, row(id, expected, { by: number }));
  }
  // A row of one's own, which nothing else can refuse.
  if (random() < 0.7) rows.set(`${VIEW} v${number}`, row(`v${number}`, -1, { by: number }, VIEW));
  // Rows that come and go whatever is there.
  if (random() < 0.2) rows.set(`${VIEW} gone`, row("gone", undefined, random() < 0.5 ? {} : undefined, VIEW));
  const poison = random() < 0.1;
  if (poison) rows.set(`${VIEW} poison`, row(`poison${number}`, -1, { poison: true }, VIEW));
  return {
    number,
    marks: random() < 0.8 ? [mark(`m${pick(90)}`, random() < 0.9 ? "same" : "other")] : [],
    fresh: random() < 0.7,
    rows: [...rows.values()].sort((a, b) => a.table < b.table || a.table === b.table && a.id < b.id ? -1 : 1),
    poison,
    abandoned: random() < 0.05 ? pick(12) : undefined,
    refused: random() < 0.03,
  };
}

const refusal = new CommitRefusedError("The message is lost.");

async function run(
  provider: TestProvider,
  work: Unit,
  errors?: Map<Unit, unknown>,
): Promise<Outcome> {
  const options: SessionOptions = { refused: () => work.refused ? refusal : undefined };
  const session = provider.session(options);
  try {
    for (const each of work.marks) if (!await session.mark(each, work.fresh)) return "duplicate";
    await commit(session, work);
    return "committed";
  } catch (error) {
    errors?.set(work, error);
    return outcomeOf(error);
  } finally {
    await session.rollback();
  }
}

async function commit(session: ProviderSession, { rows, number, abandoned }: Unit): Promise<void> {
  const outbox = [outboxInsert(`shop::order-${number % 5}`, { messageId: `u${number}` })];
  const committing = session.commit(writeSet({ rows, outbox }));
  committing.catch(() => {});
  if (abandoned !== undefined) {
    for (let turn = 0; turn < abandoned; turn++) await new Promise((resolve) => setTimeout(resolve));
    session.abandon();
  }
  await committing;
}

function outcomeOf(error: unknown): Outcome {
  if (error instanceof DuplicateMessageError) return "duplicate";
  if (error instanceof MessageConflictError) return "conflict";
  if (error instanceof ExpectedVersionError) return "version";
  if (error instanceof IncorrectUsageError) return "given up";
  if (error instanceof CommitRefusedError) return "refused";
  if (error instanceof UnavailableError) return "unknown";
  assertInstanceOf(error, ProteanError);
  return "data";
}

const CONTENT = [
  `select id, version, state from ${ORDERS} order by id`,
  `select id, version, state from ${VIEW} order by id`,
  "select handler, type, message_id, checksum from protean_processed order by message_id",
  "select message_id from protean_outbox order by message_id",
];

async function compare(
  seed: number,
  disturb: (db: PostgresDatabase, work: Promise<unknown>) => Promise<void>,
) {
  const random = seeded(seed);
  const [db, alone] = [await start(), await start()];
  await using provider = await ready(db, { pool_size: 3, max_overflow: 2, commit_group_size: 7 });
  await using model = await ready(alone, { commit_group_size: 1 });
  for (const each of [db, alone]) {
    await each.sql(`alter table ${VIEW} add check (state ->> 'poison' is null)`);
  }
  const units = Array.from({ length: 400 }, (_, number) => unit(random, number));
  const outcomes = new Map<Unit, Outcome>();
  const errors = new Map<Unit, unknown>();
  const queue = [...units];
  const works = Promise.all(Array.from({ length: 40 }, async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      outcomes.set(next, await run(provider, next, errors));
    }
  }));
  await disturb(db, works);
  await Promise.race([
    works,
    new Promise((_, reject) => {
      const timer = setTimeout(() => reject(new Error(`Work never settled (seed ${seed}).`)), 60_000);
      void works.finally(() => clearTimeout(timer));
    }),
  ]);

  const counts: Partial<Record<Outcome, number>> = {};
  for (const outcome of outcomes.values()) counts[outcome] = (counts[outcome] ?? 0) + 1;
  const told = `seed ${seed}: ${JSON.stringify(counts)}`;
  // Rows of one order are numbered in it: who touches the same never runs beside each other.
  const order = (await db.sql("select message_id from protean_outbox order by seq")).map((id) =>
    Number(id.slice(1))
  );
  const stored = new Set(order);
  for (const [{ number }, outcome] of outcomes) {
    if (outcome === "unknown" || outcome === "given up") continue;
    assertEquals(stored.has(number), outcome === "committed", `unit ${number} is ${outcome}; ${told}`);
  }
  for (const number of order) {
    const work = units[number];
    assert(work);
    assertEquals(
      await run(model, { ...work, abandoned: undefined, refused: false }),
      "committed",
      `${number}; ${told}`,
    );
  }
  assertEquals(await db.sql(...CONTENT), await alone.sql(...CONTENT), told);
  for (const [work, outcome] of outcomes) {
    if (outcome === "duplicate" || outcome === "conflict") {
      // Marks stay: it is refused at any time from then on.
      assertEquals(await run(model, { ...work, abandoned: undefined, fresh: false }), outcome, told);
    }
    const why = `unit ${work.number} is ${outcome}: ${errors.get(work)}; ${told}`;
    if (outcome === "data") assert(work.poison, why);
    if (outcome === "refused") assert(work.refused, why);
    // By whatever version there was then: one that only writes blindly is never told so.
    if (outcome === "version") assert(work.rows.some(({ expected }) => expected !== undefined), why);
  }
  assertEquals(provider.poolStats().checkedOut, 0, told);
  await soon(provider.commit({ rows: [row("last", -1)] }), told);
  return counts;
}

const seedOf = (round: number) => Number(Deno.env.get("PROPERTY_SEED") ?? Date.now() % 1e9) + round;

postgresTest(
  "units of work that commit together leave what they would leave one after the other",
  async () => {
    for (let round = 0; round < 3; round++) {
      const counts = await compare(seedOf(round), () => Promise.resolve());
      for (const outcome of ["committed", "duplicate", "version", "data"] as const) {
        assert(
          counts[outcome],
          outcome,
        );
      }
    }
  },
);

postgresTest(
  "whatever moment a connection is lost at, each unit of work has its whole effect or none",
  async () => {
    for (let round = 0; round < 3; round++) {
      const random = seeded(seedOf(round));
      await compare(seedOf(round), async (db, work) => {
        let over = false;
        void work.finally(() => over = true);
        while (!over) {
          await db.sql(`select pg_terminate_backend(pid) from pg_stat_activity
          where application_name = 'shop' and datname = '${db.name}' and random() < 0.5`);
          await new Promise((resolve) => setTimeout(resolve, random() * 20));
        }
      });
    }
  },
);

postgresTest("a lock that somebody else holds holds up nobody but those who need it", async () => {
  const db = await start();
  await using provider = await ready(db);
  await using other = await ready(db);
  await provider.commit({ rows: [row("locked", -1)] });
  const holder = other.session();
  await holder.query(sql`select 1 from protean_shop_order where id = 'locked' for update`);
  let isOver = false;
  const waiting = provider.commit({ rows: [row("locked", 0)] }).finally(() => isOver = true);
  const others = Array.from({ length: 100 }, (_, index) => provider.commit({ rows: [row(`o${index}`, -1)] }));
  await soon(Promise.all(others), "The commits of the others");
  // Its own wait is longer than that of a group.
  await new Promise((resolve) => setTimeout(resolve, 2 * LOCK_TIMEOUT_MS));
  assertEquals(isOver, false);
  await holder.rollback();
  await soon(waiting, "The commit that waited");
});

postgresTest("a table that somebody else has locked holds up nobody else's commits", async () => {
  const db = await start();
  await using provider = await ready(db);
  await using other = await ready(db);
  const holder = other.session();
  await holder.query(sql`lock table protean_shop_order in access exclusive mode`);
  const waiting = Array.from({ length: 3 }, (_, index) => provider.commit({ rows: [row(`o${index}`, -1)] }));
  const views = Array.from(
    { length: 50 },
    (_, index) => provider.commit({ rows: [row(`v${index}`, -1, {}, VIEW)] }),
  );
  await soon(Promise.all(views), "The commits on the other table");
  await holder.rollback();
  await soon(Promise.all(waiting), "The commits that waited");
});

postgresTest("blind writes of one row by many at once share a transaction, and none is lost", async () => {
  const db = await start();
  await using provider = await ready(db);
  const before = await transactions(db);
  const puts = Array.from(
    { length: 100 },
    (_, index) => provider.commit({ rows: [row("hot", undefined, { index }, VIEW)] }),
  );
  await soon(Promise.all(puts), "The commits");
  assertEquals(await db.sql(`select version, state from ${VIEW}`), ['99|{"index": 99}']);
  const versioned = Array.from({ length: 5 }, () => provider.commit({ rows: [row("hot", 99, {}, VIEW)] }));
  const results = await Promise.allSettled(versioned);
  assertEquals(results.filter(({ status }) => status === "fulfilled").length, 1);
  await eventually("The figures", async () => await transactions(db) > before);
  assert(await transactions(db) - before < 50);
});

async function transactions(db: PostgresDatabase): Promise<number> {
  const [count] = await db.sql(
    `select pg_stat_get_db_xact_commit(oid) from pg_database where datname = '${db.name}'`,
  );
  return Number(count);
}

postgresTest("what was given up before it is sent is not in the group", async () => {
  const db = await start();
  await using provider = await ready(db, { pool_size: 1, max_overflow: 0 });
  const holder = provider.session();
  await holder.query(sql`select 1`);
  const cut = provider.session();
  const committing = assertRejects(
    () => cut.commit(writeSet({ rows: [row("cut", -1)] })),
    IncorrectUsageError,
  );
  let isLost = false;
  const lost = provider.session({ refused: () => isLost ? refusal : undefined });
  const refused = assertRejects(() => lost.commit(writeSet({ rows: [row("lost", -1)] })), CommitRefusedError);
  const kept = provider.commit({ rows: [row("kept", -1)] });
  cut.abandon();
  await committing;
  isLost = true;
  await holder.rollback();
  await Promise.all([refused, kept]);
  assertEquals(await db.sql(`select id from ${ORDERS}`), ["kept"]);
});

postgresTest(
  "a statement of the user's is told that its message was handled, or is another one",
  async () => {
    const db = await start();
    await using provider = await ready(db);
    const first = provider.session();
    await first.mark(mark("m1", "same"), true);
    await first.commit(writeSet({}));
    for (
      const [checksum, expected] of [["same", DuplicateMessageError], [
        "other",
        MessageConflictError,
      ]] as const
    ) {
      const calls = [
        (session: ProviderSession) => session.query(sql`create table never (id int)`),
        (session: ProviderSession) => session.flush(writeSet({ rows: [row("o1", -1)] })),
        async (session: ProviderSession) => {
          await session.flush(writeSet({}));
          await session.commit(writeSet({}));
        },
      ];
      for (const call of calls) {
        const session = provider.session();
        assert(await session.mark(mark("m1", checksum), true));
        await assertRejects(async () => void await call(session), expected);
        await session.rollback();
      }
    }
    const other = provider.session();
    await other.mark(mark("m2", "same"), true);
    await other.query(sql`select 1`);
    await other.commit(writeSet({ rows: [row("o2", -1)] }));
    assertEquals(await db.sql(`select id from ${ORDERS}`, "select count(*) from protean_processed"), [
      "o2",
      "2",
    ]);
    assertEquals(provider.poolStats().checkedOut, 0);
  },
);

postgresTest("values that PostgreSQL cannot hold are refused before they can fail others", async () => {
  const db = await start();
  await using provider = await ready(db);
  const bad = [
    { rows: [row("a\0b", -1)] },
    { rows: [row("o1", -1, { text: "a\0b" })] },
    { outbox: [outboxInsert("s-1", { metadata: '{"x": "\\u0000"}' })] },
  ];
  for (const writes of bad) await assertRejects(() => provider.commit(writes), ValidationError);
  // An escaped backslash is no escape of a character.
  await provider.commit({ rows: [row("o2", -1, { text: "\\u0000" })] });
  assertEquals(await db.sql(`select id from ${ORDERS}`), ["o2"]);
});

postgresTest("without groups each unit of work has a transaction from its first statement on", async () => {
  const db = await start();
  await using provider = await ready(db, { commit_group_size: 1 });
  const session = provider.session();
  await session.load(ORDERS, "o1");
  assertEquals(provider.poolStats().checkedOut, 1);
  await session.commit(writeSet({ rows: [row("o1", -1)] }));
});
