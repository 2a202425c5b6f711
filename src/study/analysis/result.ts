/** What a study found: the contents of `study.json`. */
import type { CellResult } from "../grid/cell.ts";

export interface StudySettings {
  images: string;
  /** Whatever else was set: it is shown, and never asked for by name. */
  readonly [setting: string]: unknown;
}

export interface FinishedStudy {
  config: StudySettings;
  /** The cells that are done, all measured on the same test images. */
  cells: CellResult[];
  /** Cells without a result, and why. */
  failed: { name: string; message: string }[];
  /** Cells that cannot be trained, and why. */
  leftOut: { name: string; message: string }[];
  /** What its file is called. */
  name?: string | undefined;
  /** What to type to repeat it. */
  command?: string | undefined;
}
