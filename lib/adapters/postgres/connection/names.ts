/**
 * Names in SQL text. Ours are always given with their schema, so that no `search_path` can mislead them.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { ConfigurationError } from "../../../errors.ts";

/** PostgreSQL cuts longer names off without a word, so that two could become one. */
const LONGEST_NAME = 63;

/** A name as an identifier, whatever characters it has. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export class Names {
  /** Unquoted, as configured. */
  readonly schema: string;
  readonly outbox: string;
  readonly processed: string;
  /** Channel of the hints that rows were committed to this outbox. */
  readonly channel: string;

  constructor(schema: string) {
    this.schema = schema;
    this.outbox = this.table("protean_outbox");
    this.processed = this.table("protean_processed");
    this.channel = `protean_outbox_${(this.lockKey("hint") >>> 0).toString(16)}`;
  }

  /** `"schema"."table"`. Throws `ConfigurationError` where the name is too long. */
  table(name: string): string {
    if (new TextEncoder().encode(name).length > LONGEST_NAME) {
      throw new ConfigurationError(
        `The table name '${name}' is longer than the ${LONGEST_NAME} bytes that PostgreSQL keeps: ` +
          "shorten the name of the domain or of the element.",
        { code: "DATABASE_NAME_TOO_LONG" },
      );
    }
    return `${quoted(this.schema)}.${quoted(name)}`;
  }

  /**
   * A number that stands for `what` in this schema, for advisory locks know nothing but numbers. Signed, 32
   * bits. Two things with one number would only wait for each other.
   */
  lockKey(what: string): number {
    return createHash("sha256").update(`${this.schema}\0${what}`).digest().readInt32BE(0);
  }
}
