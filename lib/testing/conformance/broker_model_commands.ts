/**
 * Random commands: each does one thing to the broker and to the model, and compares what they say and what
 * they hold.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import type { BaseBroker, StreamGroup } from "../../adapters/ports.ts";
import { GroupMissingError } from "../../errors.ts";
import { idsOf } from "./broker_suite_rig.ts";
import { BrokerModel } from "./broker_model.ts";

const GROUPS = ["g1", "g2"];
const CONSUMERS = ["a", "b", "c"];
const HOUR = 3_600_000;

/** The broker under test, and the names that this run uses. */
export interface BrokerUnderTest {
  readonly brokers: readonly BaseBroker[];
  readonly stream: string;
  elapse(ms: number): Promise<void>;
  /** True where a trim drops all that it may and a lag is right whatever was deleted. */
  readonly exact: boolean;
  /** Opened so far, by name. */
  readonly groups: Map<string, StreamGroup>;
}

/** One consumer of one group, on the stream or on its replay lane. */
interface Seat {
  readonly group: string;
  readonly consumer: string;
  readonly lane: boolean;
}

type Work = (model: BrokerModel, real: BrokerUnderTest) => Promise<void>;
export type BrokerCommand = fc.AsyncCommand<BrokerModel, BrokerUnderTest>;

function command(label: string, work: Work): BrokerCommand {
  return {
    check: () => true,
    run: async (model, real) => {
      await work(model, real);
      await compare(model, real);
    },
    toString: () => label,
  };
}

const deadStream = (real: BrokerUnderTest) => `${real.stream}:dlq`;
const placeOf = (real: BrokerUnderTest, { lane, group }: { lane: boolean; group: string }) =>
  lane ? `${real.stream}:replay:${group}` : real.stream;

/** Consumers are spread over the instances, so that state kept in one of them would show. */
function seatOf(real: BrokerUnderTest, seat: Seat): StreamGroup {
  const key = JSON.stringify(seat);
  const broker = real.brokers[CONSUMERS.indexOf(seat.consumer) % real.brokers.length] ?? real.brokers[0];
  assert(broker);
  const group = real.groups.get(key) ?? broker.group({ ...seat, stream: placeOf(real, seat) });
  real.groups.set(key, group);
  return group;
}

/**
 * Some ids of a stream's past by number: pending, finished, removed, never delivered; or one that never was.
 */
function pick(model: BrokerModel, stream: string, numbers: readonly number[]): readonly string[] {
  const history = model.streams.get(stream)?.history ?? [];
  return [...new Set(numbers.map((number) => history[number % (history.length + 1)] ?? "1-1"))];
}

/**
 * Who acts on what. An aimed one finds something to act on and acts as its owner, if there is anything
 * pending.
 */
interface Target {
  readonly seat: Seat;
  readonly numbers: readonly number[];
  readonly aimed: boolean;
}

interface Resolved {
  readonly seat: Seat;
  readonly stream: string;
  readonly ids: readonly string[];
}

function resolve(model: BrokerModel, real: BrokerUnderTest, { seat, numbers, aimed }: Target): Resolved {
  const exists = model.streams.has(placeOf(real, seat));
  const chosen = aimed && !exists ? { ...seat, lane: false } : seat;
  const stream = placeOf(real, chosen);
  const pending = model.group(stream, chosen.group)?.pending ?? [];
  if (!aimed || pending.length === 0) return { seat: chosen, stream, ids: pick(model, stream, numbers) };
  const ids = [...new Set(numbers.map((number) => pending[number % pending.length]?.id ?? ""))];
  const owner = pending.find(({ id }) => id === ids[0])?.consumer ?? chosen.consumer;
  return { seat: { ...chosen, consumer: owner }, stream, ids };
}

const mostly = fc.constantFrom(true, true, true, true, false);
const seldom = fc.constantFrom(false, false, false, false, true);
const seats: fc.Arbitrary<Seat> = fc.record({
  group: fc.constantFrom(...GROUPS),
  consumer: fc.constantFrom(...CONSUMERS),
  lane: fc.boolean(),
});
const targets: fc.Arbitrary<Target> = fc.record({
  seat: seats,
  numbers: fc.array(fc.nat(40), { minLength: 1, maxLength: 3 }),
  aimed: mostly,
});

/** A command that acts on a target. */
function aim<T>(
  name: string,
  details: fc.Arbitrary<T>,
  work: (model: BrokerModel, real: BrokerUnderTest, resolved: Resolved, details: T) => Promise<void>,
): fc.Arbitrary<BrokerCommand> {
  return fc.tuple(targets, details).map(([target, detail]) =>
    command(
      `${name}(${JSON.stringify(target)}, ${JSON.stringify(detail)})`,
      (model, real) => work(model, real, resolve(model, real, target), detail),
    )
  );
}

const publish = fc.oneof(
  { weight: 9, arbitrary: fc.integer({ min: 1, max: 5 }) },
  { weight: 1, arbitrary: fc.constant(120) },
).map((count) =>
  command(`publish(${count})`, async (model, real) => {
    const texts = Array.from({ length: count }, (_, index) => `text ${index}`);
    const broker = real.brokers[count % real.brokers.length];
    const ids = idsOf(await broker?.publish(texts.map((data) => ({ stream: real.stream, data }))) ?? []);
    assertEquals(ids.length, count);
    for (const [index, id] of ids.entries()) model.open(real.stream).append(id, texts[index] ?? "");
  })
);

const ensure = aim("ensure", fc.constant(null), async (model, real, { seat }) => {
  const main = { ...seat, lane: false };
  assertEquals(await seatOf(real, main).ensure(), model.ensure(real.stream, seat.group));
});

const reads = fc.record({
  count: fc.constantFrom(1, 2, 5, 9, 200),
  acknowledge: fc.boolean(),
});
const read = aim("read", reads, async (model, real, { seat, stream, ids }, { count, acknowledge }) => {
  const group = model.group(stream, seat.group);
  // What this very read delivers cannot be acknowledged with it: an adapter may send both at once.
  const delivered = model.streams.get(stream)?.history.slice(0, group?.read ?? 0) ?? [];
  const ack = acknowledge ? ids.filter((id) => delivered.includes(id)) : [];
  const reading = () => seatOf(real, seat).read({ count, ack });
  if (!seat.lane && !group) {
    await assertRejects(reading, GroupMissingError);
    return;
  }
  model.ack(stream, seat.group, ack, seat.lane);
  const expected = model.read(stream, seat.group, seat.consumer, count) ?? [];
  assertEquals(await reading(), expected);
});

const ack = aim("ack", fc.constant(null), async (model, real, { seat, stream, ids }) => {
  const expected = model.ack(stream, seat.group, ids, seat.lane);
  assertEquals(await seatOf(real, seat).ack(ids), expected);
});

const refresh = aim("refresh", fc.constant(null), async (model, real, { seat, stream, ids }) => {
  const lost = ids.filter((id) => {
    const owned = model.owned(stream, seat.group, seat.consumer, id);
    if (owned) owned.released = false;
    return !owned;
  });
  assertEquals(await seatOf(real, seat).refresh(ids), lost);
});

const attempt = aim("attempt", fc.constant(null), async (model, real, { seat, stream, ids: [id = ""] }) => {
  const owned = model.owned(stream, seat.group, seat.consumer, id);
  if (owned) Object.assign(owned, { count: owned.count + 1, released: false });
  assertEquals(await seatOf(real, seat).attempt(id), owned?.count);
});

const listings = fc.record({ own: fc.boolean(), long: fc.boolean(), after: fc.boolean(), limit: fc.nat(4) });
const pending = aim("pending", listings, async (model, real, { seat, stream, ids }, options) => {
  const { own, long, limit } = options;
  const after = options.after ? ids[0] : undefined;
  const history = model.streams.get(stream)?.history ?? [];
  const place = after === undefined ? -1 : history.lastIndexOf(after);
  const expected = (model.group(stream, seat.group)?.pending ?? [])
    .filter(({ id }) => history.lastIndexOf(id) > place)
    .filter((entry) => !own || entry.consumer === seat.consumer)
    .filter(({ released }) => !long || released)
    .slice(0, limit + 1);
  const listed = await seatOf(real, seat).pending({
    limit: limit + 1,
    ...after === undefined ? {} : { after },
    ...own ? { consumer: seat.consumer } : {},
    ...long ? { minIdleMs: HOUR } : {},
  });
  assertEquals(listed.map(({ id }) => id), expected.map(({ id }) => id));
});

const claims = fc.record({ by: fc.constantFrom(...CONSUMERS), guess: seldom, long: fc.boolean() });
const claim = aim("claim", claims, async (model, real, { seat, stream, ids }, { by, guess, long }) => {
  const held = model.group(stream, seat.group)?.pending ?? [];
  const entries = ids.map((id) => ({
    id,
    from: guess ? seat.consumer : held.find((entry) => entry.id === id)?.consumer ?? seat.consumer,
  }));
  const expected = entries
    .map((entry) => model.claim(stream, seat.group, { ...entry, to: by, long }))
    .filter((entry) => entry !== undefined);
  assertEquals(await seatOf(real, { ...seat, consumer: by }).claim(entries, long ? HOUR : 0), expected);
});

const deadLetter = aim("deadLetter", fc.constant(null), async (model, real, { seat, stream, ids }) => {
  const { deadLetters } = real.brokers[0] ?? {};
  for (const id of ids) {
    const held = model.group(stream, seat.group)?.pending.find((entry) => entry.id === id);
    const owned = held?.consumer === seat.consumer;
    assertEquals(await seatOf(real, seat).deadLetter(id, deadStream(real), `dead ${id}`), owned);
    if (!owned) continue;
    model.ack(stream, seat.group, [id], seat.lane);
    const known = model.streams.get(deadStream(real))?.history ?? [];
    const listed = await deadLetters?.list(deadStream(real), { limit: 5000 }) ?? [];
    const added = listed.filter((entry) => !known.includes(entry.id));
    assertEquals(added.map(({ data }) => data), [`dead ${id}`]);
    for (const entry of added) model.open(deadStream(real)).append(entry.id, `dead ${id}`);
  }
});

const release = aim("release", fc.nat(3), async (model, real, { seat, stream, ids }, count) => {
  await seatOf(real, seat).release(ids.map((id) => ({ id, count })));
  for (const id of ids) {
    const owned = model.owned(stream, seat.group, seat.consumer, id);
    if (owned) Object.assign(owned, { count, released: true });
  }
});

const trim = aim("trim", fc.nat(8), async (model, real, { seat }, maxLength) => {
  const free = model.trimmable(real.stream, maxLength);
  const trimmed = await seatOf(real, { ...seat, lane: false }).trim(maxLength);
  assert(trimmed <= free.length, `${trimmed} trimmed of ${free.length} allowed`);
  if (real.exact) assertEquals(trimmed, free.length);
  model.streams.get(real.stream)?.dropOldest(trimmed);
});

const retire = aim("retire", fc.constant(null), async (model, real, { seat, stream }) => {
  const exists = model.group(stream, seat.group) !== undefined;
  const retired = await seatOf(real, seat).retire();
  const expected = model.retire(stream, seat.group, seat.consumer);
  if (exists) assertEquals(retired, expected);
});

const sweep = aim("sweep", fc.boolean(), async (model, real, { seat, stream }, long) => {
  const swept = await seatOf(real, seat).sweep(long ? HOUR : 0);
  const group = model.group(stream, seat.group);
  const others = CONSUMERS.filter((name) => name !== seat.consumer);
  const idle = others.filter((name) => !group?.pending.some((entry) => entry.consumer === name));
  const known = long ? [] : idle.filter((name) => group?.consumers.has(name));
  // Whether a consumer that only ever read nothing is kept is the adapter's affair.
  assertEquals(known.filter((name) => !swept.includes(name)), []);
  assertEquals(swept.filter((name) => long || !idle.includes(name)), []);
  for (const name of known) group?.consumers.delete(name);
});

const replays = fc.record({ number: fc.nat(40), group: fc.constantFrom(...GROUPS), aimed: mostly });
const replay = replays.map(({ number, group, aimed }) =>
  command(`replay(${number}, ${group}, ${aimed})`, async (model, real) => {
    const dead = model.streams.get(deadStream(real))?.entries ?? [];
    const id = (aimed && dead[number % dead.length]?.id) || pick(model, deadStream(real), [number])[0] || "";
    const entry = dead.find((candidate) => candidate.id === id);
    const lane = placeOf(real, { lane: true, group });
    const before = model.streams.get(lane)?.entries.map((held) => held.id) ?? [];
    const { deadLetters } = real.brokers[0] ?? {};
    assertEquals(await deadLetters?.replay(deadStream(real), id, lane, group), entry !== undefined);
    if (!entry) return;
    model.ensure(lane, group);
    model.open(deadStream(real)).remove(id);
    const moved = (await deadLetters?.list(lane, { limit: 5000 }))?.filter((held) =>
      !before.includes(held.id)
    );
    assertEquals(moved?.map(({ data }) => data), [entry.data]);
    for (const held of moved ?? []) model.open(lane).append(held.id, entry.data);
  })
);

const remove = aim("remove", seldom, async (model, real, { ids, stream }, dead) => {
  const place = dead ? deadStream(real) : stream;
  const gone = ids.filter((id) => model.streams.get(place)?.remove(id));
  assertEquals(await real.brokers[0]?.deadLetters.remove(place, ids), gone.length);
});

const purge = aim("purge", mostly, async (model, real, { stream }, dead) => {
  const place = dead ? deadStream(real) : stream;
  const length = model.streams.get(place)?.entries.length ?? 0;
  model.streams.delete(place);
  assertEquals(await real.brokers[0]?.deadLetters.purge(place), length);
});

const elapse = fc.integer({ min: 1, max: 3 }).map((ms) =>
  command(`elapse(${ms})`, (_model, real) => real.elapse(ms))
);

/** Sequences that begin as life does: with entries, groups and deliveries. */
export function brokerCommands(): fc.Arbitrary<Iterable<BrokerCommand>> {
  const common = [
    publish,
    publish,
    read,
    read,
    read,
    ack,
    attempt,
    claim,
    deadLetter,
    deadLetter,
    release,
    replay,
    replay,
  ];
  const rare = [refresh, pending, trim, retire, sweep, remove, ensure, elapse];
  const all = [...common, ...common, ...common, ...rare, ...rare, purge];
  return fc.commands(all, { maxCommands: 80, size: "max" });
}

/** Groups to begin with. */
export async function prepare(model: BrokerModel, real: BrokerUnderTest): Promise<void> {
  for (const group of GROUPS) {
    model.ensure(real.stream, group);
    await seatOf(real, { group, consumer: "a", lane: false }).ensure();
  }
}

/** Everything that can be seen of the streams, instance by instance. */
async function compare(model: BrokerModel, real: BrokerUnderTest): Promise<void> {
  const lanes = GROUPS.map((group) => placeOf(real, { lane: true, group }));
  const broker = real.brokers.at(-1);
  assert(broker);
  for (const stream of [real.stream, ...lanes, deadStream(real)]) {
    const log = model.streams.get(stream);
    assertEquals(await broker.length(stream), log?.entries.length ?? 0, `length of ${stream}`);
    assertEquals(await broker.deadLetters.list(stream, { limit: 5000 }), log?.entries ?? []);
    const infos = await broker.groups(stream);
    assertEquals(infos.map(({ group }) => group).sort(), [...log?.groups.keys() ?? []].sort());
    for (const info of infos) {
      const group = log?.groups.get(info.group);
      if (!log || !group) continue;
      const lane = stream !== real.stream;
      const seat = seatOf(real, { group: info.group, consumer: "c", lane });
      assertEquals(info.lastDeliveredId, log.lastRead(group));
      assertEquals(info.pending, group.pending.length);
      const lag = log.unread(group).length;
      if (real.exact || !log.holes) assertEquals(info.lag ?? lag, lag, `lag of ${info.group}`);
      const listed = await seat.pending({ limit: 5000 });
      assertEquals(
        listed.map(({ id, consumer, count, idleMs }) => ({ id, consumer, count, released: idleMs > HOUR })),
        group.pending,
      );
    }
  }
}
