import { expect, it } from "vitest";
import { fieldTitle, valueTitle } from "./field-titles";

it("makes names of fields readable", () => {
  expect(fieldTitle("tissue_type")).toBe("Tissue type");
  expect(fieldTitle("diagnosis")).toBe("Diagnosis");
});

it("writes concepts of reports in words, and leaves metadata as it is", () => {
  expect(valueTitle("lymph-node", "report")).toBe("lymph node");
  expect(valueTitle("10-20%", "report")).toBe("10-20%");
  expect(valueTitle("H-E", "metadata")).toBe("H-E");
  expect(valueTitle(null, "metadata")).toBe("no value");
});
