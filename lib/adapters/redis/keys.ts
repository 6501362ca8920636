/**
 * The keys of streams. Above the broker there are names of streams and nothing else; it turns each into a key
 * here, at its own edge, so that a Cluster can put all streams of one category into one slot.
 *
 * @module
 */

/** A key that `KeyOf` made: scripts take no other, so that none forgets it. */
export type StreamKey = string & { readonly madeBy: "KeyOf" };

/**
 * Turns the name of a stream into its key. Streams that one script names together must have keys of one slot.
 */
export type KeyOf = (stream: string) => StreamKey;

/**
 * On a Cluster: `{shop::order}:dlq`. All that belongs to one category has its tag, and so one slot. The
 * category is what stands before the first colon that is no part of `::`.
 */
export const taggedKey: KeyOf = (stream) => {
  const [, tag = "", rest = ""] = /^((?:[^:]*::)?[^:]*)(.*)$/s.exec(stream) ?? [];
  return `{${tag}}${rest}` as StreamKey;
};

/** The text itself as a key: what a server that is no Cluster uses, and what Python uses (wire 2.1). */
export const plainKey: KeyOf = (text) => text as StreamKey;
