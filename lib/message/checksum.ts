/**
 * Checksums of payloads (spec: wire 1.7).
 *
 * @module
 */
import { createHash } from "node:crypto";

/** SHA-256 of canonical text, as 64 lower-case hexadecimal digits. */
export function checksumOf(canonical: string): string {
  return createHash("sha256").update(canonical, "utf8").digest("hex");
}
