/**
 * The SQLite broker with other processes on the same file (delivery 14).
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { SqliteBroker } from "../../lib/adapters/sqlite/broker.ts";
import { systemClock } from "../../lib/async/clock.ts";
import { idsOf, textsOf } from "../../lib/testing/conformance/broker_suite_rig.ts";

const HOUR = 3_600_000;

interface Child {
  /** The next line it says; undefined at its end. */
  line(): Promise<string | undefined>;
  tell(line: string): Promise<void>;
  /** Kills it at once, and waits until it is gone. */
  kill(): Promise<void>;
}

function start(folder: string, command: string): Child {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", new URL("sqlite_broker_child.ts", import.meta.url).pathname, folder, command],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const lines = linesOf(process.stdout);
  const writer = process.stdin.getWriter();
  return {
    line: async () => (await lines.next()).value ?? undefined,
    tell: (line) => writer.write(new TextEncoder().encode(line)),
    kill: async () => {
      process.kill("SIGKILL");
      await process.status;
      await writer.close().catch(() => {});
      await lines.return();
    },
  };
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

/** A broker on a file of its own, with stream `orders` and group `g1`. */
async function withBroker(prove: (broker: SqliteBroker, folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  const settings = { URI: "sqlite:///streams.db" };
  const broker = new SqliteBroker({ name: "default", domain: "shop", settings, folder, clock: systemClock });
  await broker.open();
  await broker.group({ stream: "orders", group: "g1", consumer: "a" }).ensure();
  try {
    await prove(broker, folder);
  } finally {
    await broker.close();
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("SqliteBroker lets the entries of a dead process be claimed at once, and those of a live one not", async () => {
  await withBroker(async (broker, folder) => {
    const published = idsOf(await broker.publish(["1", "2"].map((data) => ({ stream: "orders", data }))));
    const entries = published.map((id) => ({ id, from: "child" }));
    const a = broker.group({ stream: "orders", group: "g1", consumer: "a" });
    const child = start(folder, "hold");
    try {
      assertEquals(await child.line(), "ready");
      assertEquals((await a.pending({ limit: 9 })).map(({ consumer }) => consumer), ["child", "child"]);
      assertEquals(await a.pending({ limit: 9, minIdleMs: HOUR }), []);
      assertEquals(await a.claim(entries, HOUR), []);
      assertEquals(await a.sweep(HOUR), []);
    } finally {
      await child.kill();
    }
    const idle = await a.pending({ limit: 9, minIdleMs: HOUR });
    assertEquals(idle.map(({ idleMs }) => idleMs), [Infinity, Infinity]);
    assertEquals(textsOf(await a.claim(entries, HOUR)), ["1", "2"]);
    assertEquals(await a.sweep(HOUR), ["child"]);
  });
});

Deno.test("SqliteBroker wakes a waiting read when another process publishes", async () => {
  await withBroker(async (broker, folder) => {
    const a = broker.group({ stream: "orders", group: "g1", consumer: "a" });
    const child = start(folder, "publish");
    try {
      assertEquals(await child.line(), "ready");
      for (const text of ["1", "2"]) {
        const reading = a.read({ count: 9, blockMs: 20_000 });
        await child.tell(text);
        assertEquals(textsOf(await reading), [text]);
      }
    } finally {
      await child.kill();
    }
  });
});

Deno.test("SqliteBroker loses nothing that was published when the publisher is killed", async () => {
  await withBroker(async (broker, folder) => {
    const child = start(folder, "flood");
    let certain = -1;
    try {
      assertEquals(await child.line(), "ready");
      while (certain < 500) certain = Number(await child.line());
    } finally {
      await child.kill();
    }
    const a = broker.group({ stream: "orders", group: "g1", consumer: "a" });
    const read: (string | undefined)[] = [];
    for (let batch = await a.read({ count: 500 }); batch.length > 0;) {
      read.push(...textsOf(batch));
      batch = await a.read({ count: 500, ack: idsOf(batch) });
    }
    assert(read.length > certain, `${read.length} entries, ${certain + 1} were certain`);
    assertEquals(read, read.map((_, index) => String(index)));
  });
});
