import { describe, expect, it } from "vitest";
import { csvText, guardFormula } from "./csv";

describe("csvText", () => {
  it("quotes what would break a row", () => {
    expect(csvText(["id", "note"], [["S-1", 'said "no",\nthen yes']])).toBe(
      '\uFEFFid,note\r\nS-1,"said ""no"",\nthen yes"\r\n',
    );
  });

  it("writes numbers as they are, also below 0, and nothing for null", () => {
    expect(csvText(["a", "b"], [[-0.5, null]])).toBe("\uFEFFa,b\r\n-0.5,\r\n");
  });

  it.each(["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "\uFF1D1"])(
    "takes formulas their force: %j",
    (text) => {
      expect(guardFormula(text)).toBe(`'${text}`);
    },
  );

  it("leaves other text alone", () => {
    expect(guardFormula("carcinoma = likely")).toBe("carcinoma = likely");
  });

  it("guards before it quotes", () => {
    expect(csvText(["a"], [['=HYPERLINK("x","y")']])).toContain(`"'=HYPERLINK(""x"",""y"")"`);
  });
});
