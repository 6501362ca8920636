/** Two domains in one module: `--domain=…:NAME` picks one. */
import { Domain } from "@protean/server";
export { domain as workshop } from "./domain.js";
export const other = new Domain("other");
