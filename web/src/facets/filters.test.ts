import { describe, expect, it } from "vitest";
import type { FacetField } from "../api/types";
import {
  chipsBesides,
  chipsOf,
  fieldsNow,
  orderFields,
  rangeOf,
  selectedValues,
  visibleValues,
  withoutChip,
  withRange,
  withToggled,
  withValues,
} from "./filters";

const organ = { source: "metadata" as const, field: "organ" };
const reported = { source: "report" as const, field: "organ" };
const facet = (field: string, values: [string, number][], more = 0): FacetField => ({
  source: "metadata",
  field,
  kind: "text",
  bins: [],
  missing: 0,
  values: values.map(([value, count]) => ({ value, count })),
  more,
});

describe("chipsBesides", () => {
  it("leaves out what is shown elsewhere, also when it was written otherwise", () => {
    const age = { source: "metadata" as const, field: "age", values: [], minimum: 40 };
    const typed = [{ ...age, maximum: null }];
    expect(chipsBesides([age, { ...organ, values: ["lung", "colon"] }], typed)).toEqual([
      { ...organ, value: "lung" },
      { ...organ, value: "colon" },
    ]);
  });
});

describe("withToggled", () => {
  it("adds values to one filter a field and takes the filter away with its last value", () => {
    const one = withToggled([], organ, "lung");
    const two = withToggled(one, organ, "colon");
    expect(two).toEqual([{ ...organ, values: ["lung", "colon"] }]);
    expect(withToggled(withToggled(two, organ, "lung"), organ, "colon")).toEqual([]);
  });

  it("keeps metadata and report fields of the same name apart", () => {
    const both = withToggled(withToggled([], organ, "lung"), reported, "lung");
    expect(both).toHaveLength(2);
    expect(selectedValues(withToggled(both, reported, "lung"), organ)).toEqual(["lung"]);
  });

  it("can ask for slides without a value", () => {
    expect(withToggled([], organ, null)).toEqual([{ ...organ, values: [null] }]);
  });

  it("leaves other filters in their order", () => {
    const filters = withValues(withValues([], organ, ["lung"]), { source: "metadata", field: "stain" }, ["H&E"]);
    expect(withToggled(filters, organ, "colon").map(({ field }) => field)).toEqual(["organ", "stain"]);
  });
});

it("keeps fields in their places when no slide is left with a value", () => {
  const whole = [facet("organ", [["lung", 3]], 2), facet("stain", [["H&E", 3]])];
  const counted = [facet("stain", [["H&E", 1]])];
  expect(fieldsNow(whole, counted)).toEqual([facet("organ", []), facet("stain", [["H&E", 1]])]);
});

describe("withRange", () => {
  const age = { source: "metadata" as const, field: "age" };
  const open = { minimum: null, maximum: null };

  it("stands beside chosen values and goes with its last bound", () => {
    const both = withRange(withToggled([], age, null), age, { minimum: 50, maximum: 59 });
    expect(both).toEqual([{ ...age, values: [null], minimum: 50, maximum: 59 }]);
    expect(withRange(withToggled(both, age, null), age, open)).toEqual([]);
    expect(rangeOf(both, age)).toEqual({ minimum: 50, maximum: 59 });
    expect(rangeOf([], age)).toEqual(open);
  });

  it("turns bounds that are the wrong way round", () => {
    expect(withRange([], age, { minimum: 59, maximum: 50 })).toEqual([
      { ...age, values: [], minimum: 50, maximum: 59 },
    ]);
  });

  it("is one chip, which takes it away", () => {
    const filters = withRange([], age, { minimum: 50, maximum: null });
    const [chip] = chipsOf(filters);
    expect(chip).toEqual({ ...age, value: { minimum: 50, maximum: null } });
    expect(chip && withoutChip(filters, chip)).toEqual([]);
  });
});

it("makes a chip of each value", () => {
  const filters = [{ ...organ, values: ["lung", null] }];
  expect(chipsOf(filters)).toEqual([
    { ...organ, value: "lung" },
    { ...organ, value: null },
  ]);
});

describe("visibleValues", () => {
  const field = facet("diagnosis", [
    ["Adenocarcinoma", 5],
    ["Squamous cell carcinoma", 3],
    ["Benign", 1],
  ]);

  it("folds what is beyond, but never what is chosen", () => {
    const shown = visibleValues(field, ["Benign"], "", 1);
    expect(shown.values.map(({ value }) => value)).toEqual(["Adenocarcinoma", "Benign"]);
    expect(shown.hidden).toBe(1);
  });

  it("finds what was typed in any case", () => {
    expect(visibleValues(field, [], "CARC", 10).values).toHaveLength(2);
  });

  it("shows a chosen value that no slide is left with", () => {
    expect(visibleValues(field, ["Gone"], "", 10).values[0]).toEqual({ value: "Gone", count: 0 });
  });
});

describe("orderFields", () => {
  it("puts the usual ones first and leaves out what narrows nothing", () => {
    const ids = facet(
      "block",
      Array.from({ length: 40 }, (_, at) => [`B-${at}`, 1]),
    );
    const fields = [
      facet("scanner", [
        ["A", 3],
        ["B", 37],
      ]),
      facet("stain", [["H&E", 40]]),
      ids,
      facet("diagnosis", [["x", 9]]),
    ];
    expect(orderFields(fields, 40, []).map(({ field }) => field)).toEqual(["diagnosis", "scanner"]);
  });

  it("keeps diagnoses, also where nearly each slide has its own", () => {
    const many = facet(
      "diagnosis",
      Array.from({ length: 30 }, (_, at) => [`D-${at}`, 1]),
    );
    expect(orderFields([many], 40, [])).toEqual([many]);
  });

  it("keeps a field that is narrowed", () => {
    const stain = facet("stain", [["H&E", 40]]);
    const filters = [{ source: "metadata" as const, field: "stain", values: ["H&E"] }];
    expect(orderFields([stain], 40, filters)).toEqual([stain]);
  });
});
