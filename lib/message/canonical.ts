/**
 * Canonical JSON: the text that Python's `json.dumps(data, sort_keys=True, separators=(",", ":"))` prints, which is what
 * checksums are taken of (spec: wire 1.7).
 *
 * @module
 */

/** STUB SIGNATURE: being written. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value);
}

/** STUB SIGNATURE: being written. */
export function canonicalText(text: string): string {
  return canonicalJson(JSON.parse(text));
}
