/** Servers that read both priority lanes are killed: nothing is lost or doubled on either (PIPE-12, S59). */
import { assert, assertEquals } from "@std/assert";
import { faultTest } from "./audit/fault.ts";
import { runSize } from "./audit/seed.ts";
import { Stage } from "./audit/stage.ts";

const STREAM = "audit::source";

/** Rows of every other key can wait: the producer here commits outside of any command, which has a priority. */
const HALF_CAN_WAIT = `create function half() returns trigger language plpgsql as $$ begin
  if right(new.stream_name, 1) in ('1', '3', '5', '7', '9') then new.priority := -1; end if;
  return new; end $$;
  create trigger half before insert on protean_outbox for each row execute function half()`;

faultTest(
  "lanes: servers killed and started anew: nothing lost or doubled on either lane",
  async (chance) => {
    await using stage = await Stage.open({ chance, toml: "[server.priority_lanes]\nenabled = true" });
    await stage.books.ask(HALF_CAN_WAIT);
    const servers = [await stage.serve(), await stage.serve()];
    const events = Math.ceil(runSize() / 2);
    stage.produce({ events });
    for (const share of [0.15, 0.4, 0.65]) {
      const [first] = servers;
      assert(first);
      await stage.effects(events * share, first);
      await servers.shift()?.end("SIGKILL");
      servers.push(await stage.serve());
    }
    const [server] = servers;
    assert(server);
    await stage.settled(server);
    await stage.audit({ events, ordered: false });
    assertEquals(await stage.givenUp(), 0);
    for (const lane of [STREAM, `${STREAM}:backfill`]) {
      assert(await stage.streams.length(lane) >= events / 3, `${lane} had its share`);
    }
    for (const each of servers) assertEquals(await each.end("SIGTERM"), 0);
  },
);
