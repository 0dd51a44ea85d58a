import { expect, it } from "vitest";
import { labelColumns, usualVote } from "./label-columns";

it("takes texts that are no names and no reports", () => {
  const fields = [
    { name: "slide_id", type: "string" },
    { name: "patient_id", type: "string" },
    { name: "report", type: "string" },
    { name: "age", type: "int64" },
    { name: "organ", type: "string" },
  ];
  expect(labelColumns(fields)).toEqual(["organ"]);
});

it("votes on what probabilities are of, else on the diagnosis where there is one", () => {
  const fields = ["organ", "diagnosis"].map((name) => ({ name, type: "string" }));
  expect(usualVote({ fields, calibrated_for: "organ" })).toBe("organ");
  expect(usualVote({ fields, calibrated_for: null })).toBe("diagnosis");
  expect(usualVote({ fields: [], calibrated_for: null })).toBeNull();
});
