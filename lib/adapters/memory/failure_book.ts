/**
 * The counts of what the letters of one queue in memory failed of.
 *
 * @module
 */
import type { FailureBook } from "../failure_book.ts";
import type { FailureCount } from "../ports.ts";
import { type StreamId, ZERO_ID } from "../stream_id.ts";

export class MemoryFailureBook implements FailureBook {
  readonly groups = new Map<string, FailureCount>();
  upto: { readonly id: StreamId; readonly total: number } = { id: ZERO_ID, total: 0 };

  get size(): number {
    return this.groups.size;
  }

  find(fingerprint: string): FailureCount | undefined {
    return this.groups.get(fingerprint);
  }

  put(group: FailureCount): void {
    this.groups.set(group.fingerprint, group);
  }

  drop(fingerprint: string): void {
    this.groups.delete(fingerprint);
  }
}
