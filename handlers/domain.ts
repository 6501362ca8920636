/** The bundled domain: a small order desk, complete. A team's own domain looks like this folder. */
import { Domain } from "@protean/server";

export const domain = new Domain("my_domain");
