/** Features on disk as a NumPy file: they are appended as they are computed, and read back by rows. */
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { onDisk, SelfsightError } from "../errors.ts";

/** Bytes of the header. NumPy wants a multiple of 64; the number of rows is known only at the end. */
const HEADER = 128;
const FLOAT = 4;

/**
 * A file of f32 (N, D), C order, in NumPy's format 1.0:
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
export class FeatureFile {
  readonly path: string;
  private readonly descriptor: number;
  private values = new Float32Array(0);
  /** N. */
  length = 0;
  /** D; 0 as long as there are no rows. */
  width = 0;

  /** Creates an empty file, or empties it. @throws SelfsightError if it cannot be written */
  constructor(path: string) {
    this.path = path;
    this.descriptor = onDisk(this.failure, () => openSync(path, "w+"));
  }

  private get failure(): string {
    return `${this.path} cannot be written`;
  }

  /** Appends rows. @param values n · `width` values @throws SelfsightError when the disk is full */
  append(values: Float32Array, width: number): void {
    if (this.length && width !== this.width)
      throw new SelfsightError(`expected rows of ${this.width} features, got rows of ${width}`);
    this.width = width;
    this.write(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), this.positionOf(this.length));
    this.length += values.length / width;
  }

  /**
   * Rows `start` to `start + count`: count · D values, valid until the next call.
   * @throws SelfsightError when the file ends too early
   */
  read(start: number, count: number): Float32Array {
    if (this.values.length < count * this.width) this.values = new Float32Array(count * this.width);
    const values = this.values.subarray(0, count * this.width);
    const bytes = new Uint8Array(values.buffer, 0, values.byteLength);
    for (let done = 0; done < bytes.length; ) {
      const at = this.positionOf(start) + done;
      const read = onDisk(`${this.path} cannot be read`, () =>
        readSync(this.descriptor, bytes, done, bytes.length - done, at),
      );
      if (read === 0) throw new SelfsightError(`${this.path} became shorter while it was read.`);
      done += read;
    }
    return values;
  }

  /** Writes the header: the file is complete then. */
  finish(): void {
    const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${this.length}, ${this.width}), }`;
    const header = Buffer.alloc(HEADER, " ");
    header.write("\x93NUMPY\x01\x00", "latin1");
    header.writeUInt16LE(HEADER - 10, 8);
    header.write(text, 10);
    header.write("\n", HEADER - 1);
    this.write(header, 0);
  }

  close(): void {
    closeSync(this.descriptor);
  }

  private positionOf(row: number): number {
    return HEADER + row * this.width * FLOAT;
  }

  /** A nearly full disk may write fewer bytes than asked, and reports an error only at the next write. */
  private write(bytes: Uint8Array, position: number): void {
    onDisk(this.failure, () => {
      for (let done = 0; done < bytes.length; )
        done += writeSync(this.descriptor, bytes, done, bytes.length - done, position + done);
    });
  }
}
