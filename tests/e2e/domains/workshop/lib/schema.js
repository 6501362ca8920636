/** Standard Schema validators by hand, so that this domain needs no package. */
import { problemOf } from "./problem.js";

const standard = (validate) => ({ "~standard": { version: 1, vendor: "workshop", validate } });

/** Takes what comes. */
export const anything = standard((value) => ({ value }));

/** An object whose fields of these names are text. */
export const object = (names) =>
  standard((value) => {
    const bad = names.filter((name) => typeof value?.[name] !== "string");
    return bad.length === 0 ? { value } : { issues: bad.map(problemOf) };
  });
