import type { Log, LogLevel } from "./ports.ts";

const ORDER: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** Writes lines of `least` level and above to standard error: `2026-01-31T12:00:00.000Z warn data: message a=1`. */
export function stderrLog(least: LogLevel, name: string): Log {
  const encoder = new TextEncoder();
  return (level, message, fields = {}) => {
    if (ORDER.indexOf(level) < ORDER.indexOf(least)) return;
    const pairs = Object.entries(fields).map(([key, value]) => ` ${key}=${formatValue(value)}`).join("");
    const line = `${new Date().toISOString()} ${level} ${name}: ${message}${pairs}\n`;
    try {
      Deno.stderr.writeSync(encoder.encode(line));
    } catch {
      // Whoever read the messages has gone. That is no reason for a server to end.
    }
  };
}

function formatValue(value: unknown): string {
  const text = typeof value === "string"
    ? value
    : value instanceof Error
    ? value.message
    : JSON.stringify(value);
  return /[\s"]/.test(text ?? "") ? JSON.stringify(text) : String(text);
}
