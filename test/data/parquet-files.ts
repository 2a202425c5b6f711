/** Parquet files for tests, as the library `datasets` writes them. */
import { type ColumnSource, parquetWriteBuffer } from "hyparquet-writer";

export interface Rows {
  /** Bytes of each image. */
  images: readonly (number[] | undefined)[];
  /** Columns of labels. */
  labels?: Readonly<Record<string, readonly unknown[]>>;
  image?: string;
  /** Class names, by column. */
  classes?: Readonly<Record<string, readonly string[]>>;
}

/** A Parquet file with two rows per row group. */
export function parquet({ images, labels = {}, image = "image", classes }: Rows): Buffer {
  const columns = Object.entries(labels).map(([name, data]) => ({ name, data: [...data], ...typeOf(data) }));
  const features = Object.fromEntries(
    Object.entries(classes ?? {}).map(([name, names]) => [name, { _type: "ClassLabel", names }]),
  );
  const info = { features: { [image]: { _type: "Image" }, ...features } };
  const buffer = parquetWriteBuffer({
    columnData: [
      {
        name: image,
        data: images.map((bytes, i) => (bytes ? { bytes: Uint8Array.from(bytes), path: `${i}.png` } : undefined)),
      },
      ...columns.map(({ name, data }): ColumnSource => ({ name, data })),
    ],
    schema: [
      { name: "schema", num_children: 1 + columns.length },
      { name: image, num_children: 2, repetition_type: "OPTIONAL" },
      { name: "bytes", type: "BYTE_ARRAY", repetition_type: "OPTIONAL" },
      { name: "path", type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "OPTIONAL" },
      ...columns.map(({ name, type, converted_type }) => ({
        name,
        type,
        ...(converted_type && { converted_type }),
        repetition_type: "OPTIONAL" as const,
      })),
    ],
    rowGroupSize: 2,
    ...(classes && { kvMetadata: [{ key: "huggingface", value: JSON.stringify({ info }) }] }),
  });
  return Buffer.from(buffer);
}

function typeOf(data: readonly unknown[]) {
  const some = data.find((value) => value !== undefined && value !== null);
  if (typeof some === "string") return { type: "BYTE_ARRAY", converted_type: "UTF8" } as const;
  if (typeof some === "boolean") return { type: "BOOLEAN" } as const;
  if (typeof some === "bigint") return { type: "INT64" } as const;
  if (typeof some === "object") return { type: "BYTE_ARRAY", converted_type: "JSON" } as const;
  const whole = data.every((value) => typeof value !== "number" || Number.isInteger(value));
  return { type: whole ? "INT32" : "DOUBLE" } as const;
}

/** A Parquet file with a list of labels, without images. */
export function table(columns: Readonly<Record<string, readonly unknown[]>>): Buffer {
  return Buffer.from(
    parquetWriteBuffer({ columnData: Object.entries(columns).map(([name, data]) => ({ name, data: [...data] })) }),
  );
}
