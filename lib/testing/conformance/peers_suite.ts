/**
 * What every broker must do that lets workers know of each other (operations 1).
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { Peers } from "../../adapters/ports.ts";

export interface PeersFixture {
  readonly one: Peers;
  /** Of another process on the same backend; the same as `one` where it cannot be shared. */
  readonly other: Peers;
  /** Lets time pass for the backend. */
  elapse(ms: number): Promise<void>;
  close(): Promise<void>;
}

const TTL_MS = 30_000;
/** Real time passes on some backends. */
const SHORT_MS = 300;

export function peersConformance(adapter: string, open: () => Promise<PeersFixture>): void {
  const rule = (sentence: string, prove: (fixture: PeersFixture) => Promise<void>) => {
    Deno.test(`${adapter} peers: ${sentence}`, async () => {
      const fixture = await open();
      try {
        await prove(fixture);
      } finally {
        await fixture.close();
      }
    });
  };
  const known = async (peers: Peers) => (await peers.list()).map(({ id, fields }) => ({ id, fields }));

  rule("nobody is there at first, and to withdraw changes nothing", async ({ one }) => {
    assertEquals(await one.list(), []);
    await one.withdraw("nobody");
    assertEquals(await one.list(), []);
  });

  rule("who has announced themselves is known to the others, in the order of ids", async ({ one, other }) => {
    await one.announce({ id: "b", fields: { host: "h", pid: "1" } }, TTL_MS);
    await other.announce({ id: "a", fields: {} }, TTL_MS);
    const expected: Awaited<ReturnType<typeof known>> = [{ id: "a", fields: {} }, {
      id: "b",
      fields: { host: "h", pid: "1" },
    }];
    assertEquals(await known(other), expected);
    assertEquals(await known(one), expected);
    for (const { ageMs } of await other.list()) assert(ageMs >= 0 && ageMs < 5_000, `${ageMs}`);
  });

  rule("what is announced again replaces all that was told before", async ({ one, other }) => {
    await one.announce({ id: "a", fields: { old: "1", both: "1" } }, TTL_MS);
    await one.announce({ id: "a", fields: { both: "2" } }, TTL_MS);
    assertEquals(await known(other), [{ id: "a", fields: { both: "2" } }]);
  });

  rule("who withdraws is gone, and nobody else is", async ({ one, other }) => {
    await one.announce({ id: "a", fields: {} }, TTL_MS);
    await other.announce({ id: "b", fields: {} }, TTL_MS);
    await one.withdraw("a");
    assertEquals(await known(other), [{ id: "b", fields: {} }]);
  });

  rule(
    "who is silent for longer than they said is forgotten; who is not grows older",
    async ({ one, other, elapse }) => {
      await one.announce({ id: "short", fields: {} }, SHORT_MS);
      await one.announce({ id: "long", fields: {} }, TTL_MS);
      await elapse(SHORT_MS + 50);
      const [only, ...more] = await other.list();
      assertEquals([only?.id, more], ["long", []]);
      assert((only?.ageMs ?? 0) >= SHORT_MS, `${only?.ageMs}`);
      await one.announce({ id: "long", fields: {} }, TTL_MS);
      assert(((await other.list())[0]?.ageMs ?? SHORT_MS) < SHORT_MS);
    },
  );

  rule("ids and fields are any texts", async ({ one, other }) => {
    const texts = [
      "{tag}:*?[x]",
      "a\0b",
      "日本語 🔒",
      'it\'s "quoted" \\',
      "line\nbreak",
      "l".repeat(100_000),
    ];
    for (const text of texts) await one.announce({ id: text, fields: { [text]: text, empty: "" } }, TTL_MS);
    const found = await known(other);
    assertEquals(found.map(({ id }) => id), texts.toSorted((a, b) => a < b ? -1 : 1));
    for (const { id, fields } of found) assertEquals(fields, { [id]: id, empty: "" });
  });
}
