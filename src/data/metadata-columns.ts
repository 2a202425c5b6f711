/** Columns that labels stand in, the likeliest first. */
export const LABEL = ["label", "fine_label", "labels", "class", "class_name", "category", "target", "coarse_label"];
