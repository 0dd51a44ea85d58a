import { describe, expect, it } from "vitest";
import { seriesIn } from "./named-files";

function headWith(uid: string): Uint8Array {
  const value = new TextEncoder().encode(uid);
  return new Uint8Array([...new Array(200).fill(0), 0x20, 0, 0x0e, 0, 0x55, 0x49, value.length, 0, ...value, 1, 2]);
}

describe("the series of a DICOM file", () => {
  it("is read from its head, without its padding", () => {
    expect(seriesIn(headWith("1.2.840.113"))).toBe("1.2.840.113");
    expect(seriesIn(headWith("1.2.840.11\0"))).toBe("1.2.840.11");
  });

  it("is none where none is, or where it can't be one", () => {
    expect(seriesIn(new Uint8Array(500))).toBeNull();
    expect(seriesIn(headWith("<script>"))).toBeNull();
    expect(seriesIn(headWith("1".repeat(65)))).toBeNull();
  });
});
