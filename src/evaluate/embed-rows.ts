/** Which image a row of features belongs to. */
import { givenGroup } from "../data/groups.ts";
import { allLabels, type ImageSet } from "../data/images.ts";

/** What is written about an image beside its features. */
export interface ImageRow {
  /** Inside the images' folder, or file#row. */
  path: string;
  /** The name of its class, or of several with | between them. */
  label: string | null;
  split: string;
  /** What it belongs together with. */
  group: string;
}

interface Part {
  split: string;
  set: ImageSet;
  /** Row of the part's first image. */
  start: number;
  /** Position in the set of each row's image; the first `used` count. */
  source: Int32Array;
  used: number;
}

/** The images of some splits that have a row. Four bytes for each: names and labels are asked for again. */
export class ImageRows {
  private readonly parts: Part[] = [];
  private readonly by: string | undefined;
  length = 0;

  /** @param by what images are grouped by: those without a value have the group "" */
  constructor(by?: string) {
    this.by = by;
  }

  /** From here on, `add` takes positions in this set. */
  begin(split: string, set: ImageSet): void {
    this.parts.push({ split, set, start: this.length, source: new Int32Array(set.length), used: 0 });
  }

  /** Gives the next rows to these images. */
  add(positions: Int32Array): void {
    const part = this.parts.at(-1);
    part?.source.set(positions, part.used);
    if (part) part.used += positions.length;
    this.length += positions.length;
  }

  /** Rows `start` to `start + count`. */
  slice(start: number, count: number): ImageRow[] {
    return Array.from({ length: count }, (_, i) => this.at(start + i));
  }

  private at(row: number): ImageRow {
    const part = row < this.length ? this.parts.findLast(({ start }) => start <= row) : undefined;
    if (!part) throw new RangeError(`row ${row} of ${this.length}`);
    const { set, split } = part;
    const i = part.source[row - part.start] as number;
    const label = allLabels(set, i)
      .map((label) => set.classes?.[label])
      .join("|");
    const group = this.by === undefined ? "" : (givenGroup(set, i, this.by) ?? "");
    return { path: set.id(i), label: label || null, split, group };
  }
}
