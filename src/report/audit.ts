/** Formats a task's audit for a terminal. */
import type { AuditRow } from "../inspect/audit.ts";
import { showValue } from "../metric.ts";

/** One line per probe; if the task leaks, the remedy on the line below. */
export function auditTable(rows: readonly AuditRow[]): string {
  const width = Math.max(...rows.map(({ view }) => view.length));
  return rows
    .flatMap((row) => {
      const { view, metric, value, low, high, chance, known, leaks, remedy } = row;
      const show = (number: number) => showValue(metric, number);
      const numbers = `${metric.name} ${show(value)} [${show(low)}, ${show(high)}] (chance ${show(chance)}${known === chance ? "" : `; a view of less gives ${show(known)}`})`;
      const line = `${leaks ? "!" : "✓"} ${view.padEnd(width)}  ${numbers}${leaks ? ": enough to answer by" : ""}`;
      return leaks ? [line, `${" ".repeat(width + 4)}→ ${remedy ?? "no option of this task closes it"}`] : [line];
    })
    .join("\n");
}
