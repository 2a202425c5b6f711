/** Formats numbers for readers. */

/** 1, "draw" to "1 draw"; 1234 to "1,234 draws". */
export function count(number: number, one: string, several = `${one}s`): string {
  return `${number.toLocaleString("en-US")} ${number === 1 ? one : several}`;
}

export function labelCount(labelsPerClass: number | "all"): string {
  return labelsPerClass === "all" ? "all labels" : `${count(labelsPerClass, "label")} per class`;
}
