/** What systemd is told where its socket is not as it should be. What it hears is in `tests/e2e/systemd_test.ts`. */
import { assert, assertEquals } from "@std/assert";
import { FakeClock } from "../../../lib/testing/fake_clock.ts";
import { NotifySocket, Systemd } from "../../../lib/cli/sd_notify.ts";
import type { HealthSnapshot } from "../../../lib/health/types.ts";
import { until } from "../../support/until.ts";

/** `tests/unit` runs with the unstable feature `net`. */
const { listenDatagram } = Deno as unknown as {
  listenDatagram(own: { transport: "unixpacket"; path: string }): {
    receive(): Promise<[Uint8Array, unknown]>;
    close(): void;
  };
};

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "protean-notify-" });
  try {
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const READY: HealthSnapshot = { shuttingDown: false, components: [] };

function systemd(socket: NotifySocket, clock: FakeClock, env: Record<string, string> = {}): Systemd {
  return new Systemd(socket, {
    ...{ clock, env: (name: string) => env[name], drain: new AbortController().signal },
    source: { alive: () => true, snapshot: () => READY },
  });
}

Deno.test("a notify socket that nobody reads holds up neither the server nor its end", async () => {
  await inFolder(async (folder) => {
    const clock = new FakeClock();
    const receiver = listenDatagram({ transport: "unixpacket", path: `${folder}/to` });
    const socket = new NotifySocket(`${folder}/to`, folder, clock);
    let sent = 0;
    const filling = (async () => {
      // As many as the system keeps for a receiver.
      while (await socket.send("WATCHDOG=1")) sent++;
    })();
    let before = -1;
    await until(() => sent > 0 && before === (before = sent), "the socket to be full");
    await clock.advance(1_000);
    await filling;
    const told = systemd(socket, clock);
    await told.start();
    // At once, for one is stuck already: no time goes by.
    await told.stop();
    assert(sent > 0);
    // Let go of: or the test would end with an operation under way.
    await receiver.receive();
    receiver.close();
  });
});

Deno.test("a notify socket that comes back hears READY and STATUS then", async () => {
  await inFolder(async (folder) => {
    const clock = new FakeClock();
    const socket = new NotifySocket(`${folder}/to`, folder, clock);
    const told = systemd(socket, clock);
    await told.start();
    // Behind the first one, which fails.
    await socket.send("WATCHDOG=1");
    const receiver = listenDatagram({ transport: "unixpacket", path: `${folder}/to` });
    const heard = receiver.receive();
    await clock.advance(1_000);
    assertEquals(new TextDecoder().decode((await heard)[0]), "READY=1\nSTATUS=ready");
    await told.stop();
    receiver.close();
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["to"]);
  });
});

Deno.test("the shortest WatchdogSec makes no hot loop", async () => {
  await inFolder(async (folder) => {
    const clock = new FakeClock();
    let looks = 0;
    const told = new Systemd(new NotifySocket(`${folder}/to`, folder, clock), {
      ...{ clock, env: () => "1", drain: new AbortController().signal },
      source: {
        alive: () => true,
        snapshot: () => {
          looks++;
          return READY;
        },
      },
    });
    await told.start();
    await clock.advance(100);
    await told.stop();
    assert(looks <= 11, `${looks} looks in 100 ms`);
  });
});
