/**
 * Where the master is, by the sentinels that watch it (design 8). They are asked at every connection that is
 * made: after a failover the next one leads to the new master, and what is found there has to say itself that
 * it is one.
 *
 * @module
 */
import { Redis } from "ioredis";
import { onAbort, timeLimit } from "../../async/abort.ts";
import { asError, RefusedError } from "../../errors.ts";
import { unavailable } from "./faults.ts";
import type { RedisServer } from "./outage.ts";
import { type Place, type SentinelSet, shownPlace } from "./uri_hosts.ts";

/**
 * Masters, each once, that of the sentinel that answers first before those of others who say something else;
 * they are waited for only when it is asked for a second one. Throws the adapter's unavailable error when no
 * sentinel answers, and `RefusedError` when none of them watches the service.
 */
export async function* mastersOf(
  { settings, clock }: RedisServer,
  set: SentinelSet,
  signal: AbortSignal,
): AsyncGenerator<Place> {
  using done = timeLimit(settings.connectMs, clock, signal);
  const asked = set.places.map((place) => masterBy(place, set, done.signal));
  const told = new Set<string>();
  try {
    const first = await Promise.any(asked).catch(() => undefined);
    if (first) {
      told.add(shownPlace(first));
      yield first;
    }
    const outcomes = await Promise.allSettled(asked);
    for (const outcome of outcomes) {
      if (outcome.status === "rejected" || told.has(shownPlace(outcome.value))) continue;
      told.add(shownPlace(outcome.value));
      yield outcome.value;
    }
    if (told.size > 0) return;
    const reasons = outcomes.flatMap((outcome) =>
      outcome.status === "rejected" ? [asError(outcome.reason)] : []
    );
    if (reasons.length > 0 && reasons.every((reason) => reason instanceof Unwatched)) {
      throw new RefusedError(
        `None of the sentinels of '${settings.section}.URI' watches a master called '${set.service}': correct the name there.`,
        { code: "REDIS_SENTINEL" },
      );
    }
    throw unavailable(settings, `no sentinel answers: ${reasons[0]?.message ?? "there is none"}`);
  } finally {
    for (const answer of asked) answer.catch(() => {});
  }
}

/** The sentinel answers, and knows no master of that name. */
class Unwatched extends Error {}

async function masterBy(place: Place, set: SentinelSet, signal: AbortSignal): Promise<Place> {
  const client = new Redis({
    ...place,
    lazyConnect: true,
    retryStrategy: null,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    disableClientInfo: true,
    connectTimeout: 0,
  });
  let reason: string | undefined;
  client.on("error", (error: Error) => reason ??= error.message);
  const ended = new Promise<void>((resolve) => client.once("end", () => resolve()));
  const cut = (why: unknown) => {
    reason ??= asError(why).message;
    if (client.stream) client.stream.destroy();
    else client.disconnect();
  };
  using _ = onAbort(signal, cut);
  try {
    await client.connect();
    const { username, password, service } = set;
    if (password !== undefined) {
      await (username === undefined ? client.auth(password) : client.auth(username, password));
    }
    const answer = await client.call("SENTINEL", "get-master-addr-by-name", service);
    if (!Array.isArray(answer)) throw new Unwatched(`the sentinel knows no master '${service}'`);
    return { host: String(answer[0]), port: Number(answer[1]) };
  } catch (error) {
    if (error instanceof Unwatched) throw error;
    const { message, name } = asError(error);
    const said = name === "ReplyError" ? message : reason ?? message;
    throw new Error(`${said} (sentinel ${shownPlace(place)})`, { cause: error });
  } finally {
    cut("asked");
    if (client.status !== "end") await ended;
  }
}
