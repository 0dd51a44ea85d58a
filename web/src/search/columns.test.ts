import { expect, it } from "vitest";
import { labelColumns } from "./columns";

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
