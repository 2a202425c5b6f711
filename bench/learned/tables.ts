/** Tables of what was measured, in Markdown. */
import { mean } from "simple-statistics";
import { type Measured, recipes } from "./cells.ts";
import { setNames } from "./sets.ts";

/** Rows: tasks; columns: sets; each cell before and after. One table for each number of minutes. */
export function gains(rows: readonly Measured[], [first, second]: readonly [string, string]): string {
  const tested = rows.filter(({ on, recipe }) => on === "test" && (recipe === first || recipe === second));
  return distinct(tested, "minutes")
    .sort((a, b) => a - b)
    .map((minutes) => {
      const own = tested.filter((row) => row.minutes === minutes);
      const sets = distinct(own, "set");
      const lines = distinct(own, "task").flatMap((task) =>
        [first, second].map((recipe) => [
          `${task}, ${recipe}`,
          ...sets.map((set) =>
            points(own.find((row) => row.set === set && row.task === task && row.recipe === recipe)),
          ),
        ]),
      );
      const both = own.filter((row) =>
        [first, second].every((recipe) =>
          own.some((other) => other.recipe === recipe && other.set === row.set && other.task === row.task),
        ),
      );
      if (!both.length) return `### ${minutesText(minutes)}\n\n${table(["", ...sets], lines)}`;
      const means = [first, second].map((recipe) => {
        const chosen = both.filter((row) => row.recipe === recipe);
        const below = chosen.filter(({ high }) => high < 0).length;
        return `${recipe}: mean ${text(mean(chosen.map(({ difference }) => difference)))} over ${chosen.length} cells, ${below} below untrained`;
      });
      return `### ${minutesText(minutes)}\n\n${table(["", ...sets], lines)}\n\n${means.join("; ")}.`;
    })
    .join("\n\n");
}

/** Of two cores: how long each candidate trained that was chosen from. */
const CHOICE_MINUTES = 0.75;

const choiceRows = (rows: readonly Measured[], task: string) =>
  rows.filter(
    (row) => row.on === "validation" && row.task === task && row.minutes === CHOICE_MINUTES && row.seed === 0,
  );

/** What each recipe gives on the sets, on validation images. */
export function candidates(rows: readonly Measured[], task: string): string {
  const own = choiceRows(rows, task);
  const sets = setNames;
  const lines = Object.keys(recipes).flatMap((recipe) => {
    const found = sets.map((set) => own.find((row) => row.recipe === recipe && row.set === set));
    const known = found.flatMap((row) => (row ? [row.difference] : []));
    return known.length ? [[recipe, ...found.map(points), known.length === sets.length ? text(mean(known)) : ""]] : [];
  });
  return table(["", ...sets, "mean"], lines);
}

/** For each set: the recipe that is best on the other sets (validation), and what it gives on this one. */
export function leaveOneOut(rows: readonly Measured[], task: string, baseline: string): string {
  const own = choiceRows(rows, task);
  const sets = setNames;
  const complete = Object.keys(recipes).filter((recipe) =>
    sets.every((set) => own.some((row) => row.set === set && row.recipe === recipe)),
  );
  const at = (recipe: string, set: string) => own.find((row) => row.recipe === recipe && row.set === set) as Measured;
  const lines = sets.map((left) => {
    const others = sets.filter((set) => set !== left);
    const score = (recipe: string) => mean(others.map((set) => at(recipe, set).difference));
    const best = complete.reduce((a, b) => (score(b) > score(a) ? b : a));
    return [left, best, points(at(best, left)), complete.includes(baseline) ? points(at(baseline, left)) : ""];
  });
  if (complete.length < 2) return "";
  return table(["left out", "best on the others", "on this one", baseline], lines);
}

const minutesText = (minutes: number) => `${minutes} ${minutes === 1 ? "minute" : "minutes"}`;
const text = (value: number) => `${value >= 0 ? "+" : "−"}${Math.abs(100 * value).toFixed(1)}`;
const points = (row: Measured | undefined) =>
  row ? `${text(row.difference)} [${text(row.low)}, ${text(row.high)}]` : "";
const distinct = <Key extends keyof Measured>(rows: readonly Measured[], key: Key): Measured[Key][] => [
  ...new Set(rows.map((row) => row[key])),
];

function table(head: readonly string[], lines: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...lines].map((line) => `| ${line.join(" | ")} |`).join("\n");
}
