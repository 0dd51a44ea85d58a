import { expect, it } from "vitest";
import { fileName } from "./download";

it("makes file names of any text", () => {
  expect(fileName("Lung, grade 3 / for review")).toBe("Lung-grade-3-for-review");
  expect(fileName("../../etc/passwd")).toBe("etc-passwd");
  expect(fileName(" ... ")).toBe("histoseek");
  expect(fileName("x".repeat(100))).toHaveLength(60);
});
