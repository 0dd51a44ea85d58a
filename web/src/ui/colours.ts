/** Colours of frames on slides: told apart with any colour vision; the same as in printed results. */
export const MATCH_COLOURS = ["#d81b60", "#1e88e5", "#e69f00"] as const;

/** Frames of the parts of a slide that are near a text. */
export const TEXT_COLOURS = ["#004d40", "#7b3fa0", "#000000"] as const;
