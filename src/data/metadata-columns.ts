/** Names of columns with labels, likeliest first. */
export const LABEL = ["label", "fine_label", "labels", "class", "class_name", "category", "target", "coarse_label"];
/** Names of columns with the images' paths, in a table that the user names. */
export const PATH = [
  ...["path", "file_path", "image_path", "file", "file_name", "image_file", "image_file_name", "image", "image_name"],
  ...["img", "image_id", "id"],
];
/** Names of columns with the images' parts. */
export const SPLIT = ["split", "set", "part", "subset"];

/** Position of the column that has the likeliest of these names, in whatever spelling: "File Name" is `file_name`; -1 for none. */
export function columnAt(header: readonly string[], names: readonly string[]): number {
  const plain = (name: string) => name.toLowerCase().replace(/[\s_-]+/g, "");
  const columns = header.map(plain);
  return names.map((name) => columns.indexOf(plain(name))).find((at) => at >= 0) ?? -1;
}
