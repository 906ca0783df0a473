/** Writes the file named, `cfg.yaml`, from the table of settings: `scripts/deno task config`. */
import { configText } from "../core/platform/config_text.ts";

const [path] = Deno.args;
if (path === undefined) {
  console.error("name the file to write: scripts/config.ts cfg.yaml");
  Deno.exit(2);
}
// By ourselves and not by the shell, which would empty the file before the text is there.
Deno.writeTextFileSync(path, configText());
