/** Names of files packed in one buffer, so that a million files cost little more than their names. */
import { join } from "node:path";
import { decodeName, encodeName, isForeign } from "./names.ts";

/** File names packed end to end, and the folder of each. */
export class FileTable {
  private names = Buffer.alloc(1 << 12);
  private used = 0;
  private offsets = new Uint32Array(1 << 8);
  private folderOf = new Uint32Array(1 << 8);
  readonly folders: string[] = [];
  length = 0;

  /** Files of one folder must be added one after another. */
  add(folder: string, name: string): void {
    if (this.folders.at(-1) !== folder) this.folders.push(folder);
    const foreign = isForeign(name) ? encodeName(name) : undefined;
    const bytes = foreign?.length ?? Buffer.byteLength(name);
    if (this.used + bytes > this.names.length)
      this.names = Buffer.concat([this.names], 2 * (this.names.length + bytes));
    if (this.length + 1 >= this.offsets.length) {
      this.offsets = grown(this.offsets);
      this.folderOf = grown(this.folderOf);
    }
    if (foreign) foreign.copy(this.names, this.used);
    else this.names.write(name, this.used);
    this.used += bytes;
    this.folderOf[this.length] = this.folders.length - 1;
    this.offsets[++this.length] = this.used;
  }

  /** Path of file i, with its folder. Bytes that are not UTF-8 are represented as in names.ts. */
  path(i: number): string {
    if (!(i >= 0 && i < this.length)) throw new RangeError(`image ${i} of ${this.length}`);
    const folder = this.folders[this.folderIndex(i)] ?? "";
    return join(folder, decodeName(this.names.subarray(this.offsets[i], this.offsets[i + 1])));
  }

  /** Index of file i's folder in `folders`. */
  folderIndex(i: number): number {
    return this.folderOf[i] ?? -1;
  }
}

function grown(array: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(2 * array.length);
  larger.set(array);
  return larger;
}
