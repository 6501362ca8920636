/**
 * The library for domains on disk: `compile.json` points their `@protean/server` here, to the very copy that
 * runs.
 */
export * from "@protean/server";
