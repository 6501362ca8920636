/** The domain new_domain, whole: what `--domain` of this folder loads. */
import "./handlers.ts";

export { domain } from "./elements.ts";
