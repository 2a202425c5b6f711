/** Which classes are taken for which: the matrix, and its most frequent mistakes in words and numbers. */
import { type Confusion, confusionChart } from "./charts/confusion.ts";
import { heading, note, number, table } from "./study/html.ts";

/** Mistakes in the table. */
const MOST = 10;

export function confusionPart(confusion: Confusion): string {
  const { classes, counts, draws } = confusion;
  const mistakes = counts
    .flatMap((own, row) => own.map((count, column) => ({ row, column, count, of: sum(own) })))
    .filter(({ row, column, count }) => row !== column && count > 0)
    .sort((a, b) => b.count - a.count)
    .slice(0, MOST);
  const lines = mistakes.map(({ row, column, count, of }) => [
    heading(classes[row] ?? "?"),
    heading(classes[column] ?? "?"),
    number(count.toLocaleString("en-US")),
    number(`${((100 * count) / of).toFixed(1)} %`),
  ]);
  const head = ["Class", "Taken for", number("Answers"), number("Of the class")];
  return [
    `<div class="charts">${confusionChart(confusion)}</div>`,
    lines.length ? `<h3>Most frequent mistakes</h3>\n${table(head, lines)}` : "",
    note(
      draws > 1 && `Numbers are answers: every test image was asked about once for each of ${draws} draws of labels.`,
    ),
  ].join("\n");
}

const sum = (row: readonly number[]) => row.reduce((total, count) => total + count, 0);
