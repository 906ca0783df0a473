/**
 * Line numbers for messages about a YAML file whose top level is a mapping. The parser keeps no places, but in block
 * style keys stand at the start of a line and list entries after a dash.
 */

/** Line (from 1) of a top-level key; undefined where the file is written in another style. */
export function lineOfKey(text: string, key: string): number | undefined {
  const index = text.split("\n").findIndex((line) => {
    const plain = line.replace(/^(["'])(.*?)\1(?=\s*:)/, "$2");
    return plain.startsWith(key) && /^\s*:(\s|$)/.test(plain.slice(key.length));
  });
  return index < 0 ? undefined : index + 1;
}

/** Line (from 1) of entry `index` (from 0) of the list under the key on `keyLine`; `keyLine` when it is not found. */
export function lineOfEntry(text: string, keyLine: number, index: number): number {
  const following = text.split("\n").slice(keyLine);
  let entry = -1;
  for (const [i, line] of following.entries()) {
    if (/^\s*-(\s|$)/.test(line) && ++entry === index) return keyLine + i + 1;
    if (/^[^\s#-]/.test(line)) break;
  }
  return keyLine;
}

/** Line (from 1) that a message of the parser names. */
export function lineOfMessage(message: string): number | undefined {
  const found = /at line (\d+)/.exec(message)?.[1];
  return found === undefined ? undefined : Number(found);
}
