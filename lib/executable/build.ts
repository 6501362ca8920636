/**
 * What a build says of itself. The executable has a module of its own in this one's place
 * (`tools/bundle.ts`).
 *
 * @module
 */

/** The commit that the executable was built from; null where nobody knows, as when the sources are run. */
export const COMMIT: string | null = null;
