/** Entries of others whose bytes are not UTF-8, on a real Redis (L8a). */
import { assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { redisTest } from "../support/redis_server.ts";
import { consumerOf, RedisRig, STREAM, textsOf } from "./redis_rig.ts";

redisTest("bytes that are not UTF-8 are kept, read as well as claimed (L8a)", async () => {
  await using rig = await RedisRig.open();
  const broker = await rig.broker();
  const client = rig.client();
  for (const data of [Buffer.from([0x7b, 0xff]), Buffer.from("é")]) {
    await client.call("XADD", STREAM, "*", "data", data);
  }
  const [reader, other] = [await consumerOf(broker, "reader"), await consumerOf(broker, "other")];
  const kept = ['{"base64":"e/8="}', "é"];
  const entries = await reader.read({ count: 10 });
  assertEquals(textsOf(entries), kept);
  const claimed = await other.claim(entries.map(({ id }) => ({ id, from: "reader" })), 0);
  assertEquals(textsOf(claimed), kept);
});

redisTest("what is claimed may have no data, and may have left the stream", async () => {
  await using rig = await RedisRig.open();
  const broker = await rig.broker();
  const client = rig.client();
  await client.call("XADD", STREAM, "*", "other", "1");
  await client.call("XADD", STREAM, "*", "data", "");
  const gone = await client.call("XADD", STREAM, "*", "data", "gone");
  const [reader, other] = [await consumerOf(broker, "reader"), await consumerOf(broker, "other")];
  const entries = await reader.read({ count: 10 });
  await client.xdel(STREAM, String(gone));
  const claimed = await other.claim(entries.map(({ id }) => ({ id, from: "reader" })), 0);
  assertEquals(claimed.map(({ data, trimmed }) => [data, trimmed]), [
    [undefined, false],
    ["", false],
    [undefined, true],
  ]);
});
