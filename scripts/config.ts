/** Prints the text of `cfg.yaml`, made from the table of settings: `deno task config`. */
import { configText } from "../core/platform/config_text.ts";

console.log(configText().trimEnd());
