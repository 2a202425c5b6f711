/** Which classes are taken for which. */
import { type Cell, frames, grid, leftMargin, shades } from "./cells.ts";
import { figure, WIDTH } from "./plot.ts";

export interface Confusion {
  classes: readonly string[];
  /** Answers about test images: one row for each true class, one column for each predicted class. */
  counts: readonly (readonly number[])[];
  /** How often each image was asked about: once for each draw of labels. */
  draws: number;
}

interface Count extends Cell {
  count: number;
  /** Of its true class. */
  share: number;
}

/** Side of a cell: at least as high as a name, and with numbers in it if it is large. */
const SIDE = { least: 18, numbers: 30, most: 56 };

/** Of more classes, only cells with images get a frame: a million frames would be a page of 25 MB. */
const FRAMED = 200;

/** The counts as a table of cells, darker with their share of the true class: right answers along the diagonal. */
export function confusionChart({ classes, counts, draws }: Confusion): string {
  const cells = counts.flatMap((own, row): Count[] => {
    const total = own.reduce((sum, count) => sum + count, 0);
    return own.map((count, column) => ({ row, column, count, share: total ? count / total : 0 }));
  });
  const filled = cells.filter(({ count }) => count > 0);
  const right = filled.reduce((sum, { row, column, count }) => sum + (row === column ? count : 0), 0);
  const all = filled.reduce((sum, { count }) => sum + count, 0);
  const asked = draws > 1 ? `answers, ${draws} for each test image,` : "test images";
  return figure({
    caption: "Confusion matrix",
    label: `Confusion matrix of ${classes.length} classes: ${right} of ${all} ${asked} are on the diagonal`,
    legend: [
      { name: "right", colour: RIGHT },
      { name: "mistaken", colour: WRONG },
    ],
    hasData: all > 0,
    draw: (plot) => {
      const room = (WIDTH - leftMargin(classes) - 4) / classes.length;
      const side = Math.max(SIDE.least, Math.min(SIDE.most, room));
      const diagonal = cells.filter(({ row, column }) => row === column);
      const strength = ({ share }: Count) => Math.max(0.05, Math.sqrt(share)); // rare mistakes are seen, too
      const marks = [
        frames(classes.length <= FRAMED ? cells : filled, "var(--rule)"),
        ...shades(filled.filter(isRight), { colour: RIGHT, strength }),
        ...shades(
          filled.filter((cell) => !isRight(cell)),
          { colour: WRONG, strength },
        ),
        frames(diagonal, RIGHT),
        side >= SIDE.numbers &&
          plot.text(filled, {
            x: ({ column }) => column + 0.5,
            y: ({ row }) => row + 0.5,
            text: ({ count }) => String(count),
            fill: "var(--ink)",
          }),
      ];
      return grid(
        plot,
        {
          rows: classes,
          columns: classes,
          axes: { rows: "true class", columns: "predicted class" },
          cell: { width: side, height: side },
        },
        marks.filter((mark) => mark !== false),
      );
    },
  });
}

const RIGHT = "var(--heat)";
const WRONG = "var(--miss)";

const isRight = ({ row, column }: Cell) => row === column;
