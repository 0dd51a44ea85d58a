/** Slides of a map by their labels: colours and shapes. */

export const SHAPES = ["circle", "triangle", "square", "diamond", "cross", "ring"] as const;
export type Shape = (typeof SHAPES)[number];

/** Told apart with any colour vision (after Okabe and Ito 2008); on light and on dark ground. */
const COLOURS = {
  light: ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b07a00", "#3d9bd1", "#16191d", "#882255"],
  dark: ["#3b8fd8", "#f0772b", "#10b88a", "#e59ac6", "#f2c46d", "#a9dcff", "#ffffff", "#c65b8b"],
} as const;

/** So many labels have a look of their own; the rarest beyond that share one. */
export const MOST_GROUPS = 16;

export interface Group {
  /** Null: of slides without one; "" where `rest` says how many rarer labels it has. */
  readonly label: string | null;
  /** How many rarer labels are in it; 0: it is one label. */
  readonly rest: number;
  readonly places: readonly number[];
  readonly shape: Shape;
  /** Which colour, null: grey. */
  readonly colour: number | null;
}

/** Labels, the most frequent first, then those too rare for a look of their own, then slides without a label (""). */
export function groupsOf(labels: readonly string[]): readonly Group[] {
  const places = new Map<string, number[]>();
  labels.forEach((label, place) => {
    const group = places.get(label);
    if (group) group.push(place);
    else places.set(label, [place]);
  });
  const named = [...places].filter(([label]) => label !== "");
  named.sort(([a, of], [b, other]) => other.length - of.length || a.localeCompare(b, "en", { numeric: true }));
  const own = named
    .slice(0, MOST_GROUPS)
    .map(([label, of], at): Group => ({ label, rest: 0, places: of, ...lookOf(at) }));
  const rare = named.slice(MOST_GROUPS);
  const rest: Group[] = rare.length ? [{ ...GREY, label: "", rest: rare.length, places: sorted(rare) }] : [];
  const unknown = places.get("");
  return [
    ...own,
    ...rest,
    ...(unknown ? [{ ...GREY, label: null, rest: 0, shape: "ring" as const, places: unknown }] : []),
  ];
}

export function groupColour(group: Group, isDark: boolean): string {
  if (group.colour === null) return isDark ? "#a8a8a8" : "#6b6b6b";
  return COLOURS[isDark ? "dark" : "light"][group.colour] ?? "#6b6b6b";
}

const GREY = { shape: "circle", colour: null } as const;

/** Both colour and shape change from each label to the next; 24 of the pairs differ. */
function lookOf(at: number): Pick<Group, "shape" | "colour"> {
  return { shape: SHAPES[at % SHAPES.length] ?? "circle", colour: at % COLOURS.light.length };
}

function sorted(rare: readonly (readonly [string, readonly number[]])[]): number[] {
  return rare.flatMap(([, of]) => of).sort((a, b) => a - b);
}
