/**
 * Tells systemd how the server is: `Type=notify` and `WatchdogSec` (platform: seen later). Without
 * `NOTIFY_SOCKET` there is nobody to tell.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { join } from "node:path";
import { deadline } from "../async/abort.ts";
import { type Clock, sleep } from "../async/clock.ts";
import { BackgroundService } from "../async/service.ts";
import { asError } from "../errors.ts";
import { isReady } from "../health/bodies.ts";
import type { HealthListenerFactory, HealthSource } from "../health/listener.ts";
import type { HealthSnapshot } from "../health/types.ts";

const log = getLogger(["protean", "cli"]);

const MOST_MS = 1_000;
/** However short `WatchdogSec` is, there is something else to do. */
const LEAST_MS = 10;
/** What a message may take: a receiver that does not read never takes it. */
const SEND_MS = 1_000;
/** systemd ends a start that takes too long; one that waits for a database has not failed. */
const READY_ANYWAY_MS = 10_000;

/** What is used of `Deno.listenDatagram`, which needs the unstable feature `net`. */
interface Datagrams {
  send(bytes: Uint8Array, to: { readonly transport: "unixpacket"; readonly path: string }): Promise<number>;
  close(): void;
}
type ListenDatagram = (own: { readonly transport: "unixpacket"; readonly path: string }) => Datagrams;

/**
 * Sends messages to `NOTIFY_SOCKET`. One that cannot be sent is told once, until the next can, and changes
 * nothing else: systemd may be back in a moment.
 */
export class NotifySocket implements Disposable {
  readonly #to: string;
  readonly #own: string;
  readonly #clock: Clock;
  #socket: Datagrams | undefined;
  #sending: Promise<unknown> = Promise.resolve();
  /** One waits for a receiver that does not read, and cannot be taken back. */
  #stuck = false;
  #failing = false;

  /** `folder` can be written to: the sender has a path of its own. */
  constructor(to: string, folder: string, clock: Clock) {
    this.#to = to;
    this.#own = join(folder, `protean-notify-${Deno.pid}-${crypto.randomUUID().slice(0, 8)}.sock`);
    this.#clock = clock;
  }

  /** Resolves, after those before it, whether it was sent: within a second. Never rejects. */
  send(message: string): Promise<boolean> {
    const sent = this.#sending.then(() => this.#send(message));
    this.#sending = sent;
    return sent;
  }

  /** What was to be sent is, or cannot be. */
  get settled(): Promise<unknown> {
    return this.#sending;
  }

  async #send(message: string): Promise<boolean> {
    if (this.#stuck) return false;
    this.#stuck = true;
    const written = this.#write(message).finally(() => this.#stuck = false);
    try {
      await deadline(() => written, SEND_MS, this.#clock);
      this.#failing = false;
      return true;
    } catch (error) {
      if (!this.#failing) log.warn("systemd.not_told", { error: asError(error).message });
      this.#failing = true;
      return false;
    }
  }

  async #write(message: string): Promise<void> {
    this.#socket ??= this.#open();
    const bytes = new TextEncoder().encode(message);
    await this.#socket.send(bytes, { transport: "unixpacket", path: this.#to });
  }

  #open(): Datagrams {
    const listen = (Deno as unknown as { listenDatagram?: ListenDatagram }).listenDatagram;
    if (!listen) throw new Error("this executable was compiled without the unstable feature 'net'");
    if (this.#to.startsWith("@")) throw new Error("an abstract socket cannot be reached: name a path");
    return listen({ transport: "unixpacket", path: this.#own });
  }

  [Symbol.dispose](): void {
    if (!this.#socket) return;
    this.#socket.close();
    this.#socket = undefined;
    try {
      Deno.removeSync(this.#own);
    } catch {
      // Somebody has tidied up.
    }
  }
}

export interface SystemdOptions {
  readonly env: (name: string) => string | undefined;
  readonly clock: Clock;
  readonly source: Pick<HealthSource, "alive" | "snapshot">;
  /** Aborts when the drain begins. */
  readonly drain: AbortSignal;
}

/** Undefined where nobody wants to know. */
export function systemd(options: SystemdOptions): Systemd | undefined {
  const socket = options.env("NOTIFY_SOCKET");
  if (!socket) return undefined;
  return new Systemd(new NotifySocket(socket, options.env("TMPDIR") || "/tmp", options.clock), options);
}

/** READY, STATUS, WATCHDOG while the work goes on, and STOPPING at once. */
export class Systemd extends BackgroundService {
  readonly name = "systemd";
  readonly #socket: NotifySocket;
  readonly #options: SystemdOptions;
  readonly #everyMs: number;
  readonly #watched: boolean;

  constructor(socket: NotifySocket, options: SystemdOptions) {
    super();
    this.#socket = socket;
    this.#options = options;
    const watchdogMs = Number(options.env("WATCHDOG_USEC") ?? 0) / 1000;
    this.#watched = watchdogMs > 0;
    this.#everyMs = this.#watched ? Math.max(LEAST_MS, Math.min(MOST_MS, watchdogMs / 3)) : MOST_MS;
  }

  protected async run(signal: AbortSignal): Promise<void> {
    const { clock, source, drain } = this.#options;
    const began = clock.monotonic();
    let isTold = false;
    let said = "";
    const stopping = () => void this.#socket.send("STOPPING=1\nSTATUS=draining");
    drain.addEventListener("abort", stopping, { once: true });
    if (drain.aborted) stopping();
    while (!signal.aborted) {
      const snapshot = source.snapshot();
      const status = statusOf(snapshot);
      const isUp = !snapshot.starting || clock.monotonic() - began >= READY_ANYWAY_MS;
      const lines = [
        ...!isTold && isUp ? ["READY=1"] : [],
        ...status !== said && !drain.aborted ? [`STATUS=${status}`] : [],
        // A process that does not do its work is started anew.
        ...this.#watched && source.alive() ? ["WATCHDOG=1"] : [],
      ];
      if (lines.length > 0 && await this.#socket.send(lines.join("\n"))) {
        isTold ||= isUp;
        said = status;
      }
      await sleep(clock, this.#everyMs, signal);
    }
    drain.removeEventListener("abort", stopping);
  }

  protected override async end(): Promise<void> {
    await this.#socket.settled;
    this.#socket[Symbol.dispose]();
  }
}

/** One line for `systemctl status`. */
function statusOf(snapshot: HealthSnapshot): string {
  if (snapshot.shuttingDown) return "draining";
  if (snapshot.draining) return "reading nothing more";
  if (isReady(snapshot)) return "ready";
  const away = snapshot.components.filter(({ status }) => status !== "ok").map(({ kind, name }) =>
    `${kind} ${name}`
  );
  const workers = Object.entries(snapshot.workers ?? {}).filter(([, { status }]) => status !== "ok")
    .map(([number, { status }]) => `worker ${number} is ${status}`);
  const reasons = [...away.map((what) => `${what} is unavailable`), ...workers];
  return reasons.length > 0 ? reasons.join(", ") : "starting";
}

/** The same listener; systemd is told, from its start to its end, what it is told. */
export function tellingSystemd(
  factory: HealthListenerFactory,
  options: Omit<SystemdOptions, "source" | "clock">,
): HealthListenerFactory {
  return (listening) => {
    const listener = factory(listening);
    const { source, clock } = listening;
    const told = systemd({ ...options, source, clock });
    if (!told) return listener;
    return {
      name: "systemd",
      ...(listener?.bound && { bound: listener.bound }),
      changed: () => listener?.changed?.(),
      start: async () => {
        await listener?.start();
        await told.start();
      },
      stop: async () => {
        await listener?.stop();
        await told.stop();
      },
    };
  };
}
