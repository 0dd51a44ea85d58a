import { describe, expect, it } from "vitest";
import { colourColumn, colourColumns } from "./colour-columns";

const fields = [
  { name: "slide_id", type: "string" },
  { name: "width", type: "int64" },
  { name: "organ", type: "string" },
  { name: "diagnosis", type: "string" },
  { name: "grade", type: "string" },
];

describe("label columns", () => {
  it("are texts, but no names of slides", () => {
    expect(colourColumns({ fields })).toEqual(["organ", "diagnosis", "grade"]);
  });

  it("begin with what is wanted, then what probabilities are of, then the diagnosis", () => {
    expect(colourColumn({ fields, calibrated_for: "grade" }, "organ")).toBe("organ");
    expect(colourColumn({ fields, calibrated_for: "grade" }, "width")).toBe("grade");
    expect(colourColumn({ fields, calibrated_for: null }, null)).toBe("diagnosis");
    expect(colourColumn({ fields: fields.slice(0, 3), calibrated_for: null }, null)).toBe("organ");
    expect(colourColumn({ fields: [], calibrated_for: null }, null)).toBeNull();
  });
});
