/**
 * One worker as its supervisor has it: a child process that is told by lines on its stdin, tells its health
 * on its stdout, and writes its log to the stderr that all of them share.
 *
 * @module
 */
import { type Clock, sleep } from "../async/clock.ts";
import { isReady } from "../health/bodies.ts";
import { PageRequests } from "../health/page.ts";
import { ReportedHealth } from "../health/report.ts";
import { type Order, orderLine, ReportReader } from "./protocol.ts";

/** How long what it said last is waited for once it has ended. */
const LAST_WORDS_MS = 200;

/** What is used of a child process. */
export type Child = Pick<Deno.ChildProcess, "pid" | "stdin" | "stdout" | "status" | "kill">;

export interface WorkerProcessOptions {
  readonly child: Child;
  readonly blockedAfterSeconds: number;
  /** Takes what the domain prints. */
  readonly printed: (text: string) => void;
  readonly clock: Clock;
}

export class WorkerProcess {
  readonly pid: number;
  /** Resolves when it has ended and everything it said is heard. */
  readonly ended: Promise<Deno.CommandStatus>;
  readonly health: ReportedHealth;
  readonly #child: Child;
  readonly #orders: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #over = new AbortController();
  readonly #pages: PageRequests;
  readonly #ready = Promise.withResolvers<void>();
  #refusal: string | undefined;
  #started = false;

  constructor({ child, blockedAfterSeconds, printed, clock }: WorkerProcessOptions) {
    this.#child = child;
    this.pid = child.pid;
    this.#orders = child.stdin.getWriter();
    this.health = new ReportedHealth(blockedAfterSeconds);
    this.#pages = new PageRequests(clock, (id) => this.tell({ order: "page", id }));
    const reader = new ReportReader((report) => {
      if ("page" in report) return this.#pages.answered(report.page, report.text);
      if ("refused" in report) {
        this.#refusal = report.refused;
        return;
      }
      this.health.heard(report);
      if (report.snapshot && !report.snapshot.starting) this.#started = true;
      if (this.ready) this.#ready.resolve();
    }, printed);
    this.ended = this.#live(reader.read(child.stdout), clock);
    void this.health.watch(clock, this.#over.signal);
  }

  /** Whether it is there and everything it needs is. */
  get ready(): boolean {
    const { snapshot, blocked } = this.health;
    return !this.#over.signal.aborted && !blocked && snapshot !== undefined && isReady(snapshot);
  }

  /** Whether its engine has ever been through the checks of its start. */
  get started(): boolean {
    return this.#started;
  }

  /** Why it cannot begin: what it was told, or found, is wrong. Undefined where it has not said so. */
  get refusal(): string | undefined {
    return this.#refusal;
  }

  /** Resolves when it is ready for the first time; never, where it ends before. */
  get firstReady(): Promise<void> {
    return this.#ready.promise;
  }

  /** Its metrics; undefined where it does not answer. Never rejects. */
  async page(): Promise<string | undefined> {
    return this.health.blocked || this.#over.signal.aborted ? undefined : await this.#pages.text();
  }

  /** Never rejects: a worker that has ended needs no orders. */
  tell(order: Order): void {
    this.#orders.write(new TextEncoder().encode(orderLine(order))).catch(() => {});
  }

  kill(): void {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
  }

  async #live(read: Promise<void>, clock: Clock): Promise<Deno.CommandStatus> {
    const status = await this.#child.status;
    this.#over.abort();
    const heard = new AbortController();
    // A program that it started may hold its stdout open.
    await Promise.race([read.then(() => heard.abort()), sleep(clock, LAST_WORDS_MS, heard.signal)]);
    heard.abort();
    await this.#orders.close().catch(() => {});
    return status;
  }
}
