/**
 * Lines into messages: what `send` does with each of them.
 *
 * @module
 */
import type { Domain } from "../domain/domain.ts";
import type { Context, MessageType } from "../domain/types.ts";
import { asError, ConfigurationError, ProteanError, UnavailableError } from "../errors.ts";
import { canonicalText } from "../message/canonical.ts";
import { parseExact } from "../message/exact_numbers.ts";
import type { Line } from "./lines.ts";

/** How messages are sent. */
export interface SenderOptions {
  readonly domain: Domain;
  readonly type: MessageType;
  /**
   * Handle commands here, one after the other; otherwise everything is committed to the outbox, in batches.
   */
  readonly sync: boolean;
  /** Publish events on the stream of this id. */
  readonly id: string | undefined;
  /** Called for each line that is not sent, in order. */
  readonly refuse: (line: number, error: Error) => void;
}

/** Sends lines in their order: one stream's messages keep it. */
export class Sender {
  readonly #options: SenderOptions;
  #sent = 0;
  #refused = 0;
  #at = 0;

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  get sent(): number {
    return this.#sent;
  }

  get refused(): number {
    return this.#refused;
  }

  /**
   * The line that is being sent, or the first of those that are committed together: where a stop leaves off.
   */
  get at(): number {
    return this.#at;
  }

  /**
   * Sends these lines, all that are good in one transaction unless they are handled here. Rejects with
   * `UnavailableError` when the backend is away, for the lines may then have been sent or not, and with
   * `ConfigurationError` when it refuses us, as it would for every further line.
   */
  async send(lines: readonly Line[]): Promise<void> {
    if (this.#options.sync) { for (const line of lines) await this.#handle(line); }
    else await this.#commit(lines);
  }

  async #handle(line: Line): Promise<void> {
    const { domain, type } = this.#options;
    this.#at = line.number;
    try {
      await domain.process(type, payloadOf(line), { asynchronous: false });
      this.#sent++;
    } catch (thrown) {
      this.#refuse(line, thrown);
    }
  }

  async #commit(lines: readonly Line[]): Promise<void> {
    const bad: [Line, unknown][] = [];
    this.#at = lines[0]?.number ?? this.#at;
    try {
      await this.#options.domain.unitOfWork(async (ctx) => {
        for (const line of lines) await this.#put(ctx, line).catch((error) => bad.push([line, error]));
      });
    } catch (error) {
      if (isBackends(error)) throw error;
      const [only, ...others] = lines;
      if (only && others.length === 0) return this.#refuse(only, error);
      // Nothing of the batch is committed, and only one of its lines may be at fault.
      for (const line of lines) await this.#commit([line]);
      return;
    }
    for (const [line, error] of bad) this.#refuse(line, error);
    this.#sent += lines.length - bad.length;
  }

  async #put(ctx: Context, line: Line): Promise<void> {
    const { type, id } = this.#options;
    const data = payloadOf(line);
    if (type.kind === "command") await ctx.process(type, data);
    else await ctx.publish(type, data, id === undefined ? {} : { id });
  }

  #refuse({ number }: Line, thrown: unknown): void {
    if (isBackends(thrown)) throw thrown;
    this.#refused++;
    this.#options.refuse(number, asError(thrown));
  }
}

/** Not the fault of a line. */
function isBackends(thrown: unknown): boolean {
  return thrown instanceof UnavailableError || thrown instanceof ConfigurationError;
}

function payloadOf(line: Line): unknown {
  if ("problem" in line) throw new ProteanError(`the line is ${line.problem}`, { code: "BAD_LINE" });
  try {
    return parseExact(line.text);
  } catch (cause) {
    throw new ProteanError(`not valid JSON: ${troubleIn(line.text)}`, { code: "BAD_LINE", cause });
  }
}

/** The place and none of the text, which the parser would quote (SEC-4). */
function troubleIn(json: string): string {
  try {
    canonicalText(json);
    return "it holds NaN or an Infinity, which JSON does not have";
  } catch (error) {
    return asError(error).message.replace(/^The text is not JSON: /, "").replace(/\.$/, "");
  }
}
