import { describe, expect, it } from "vitest";
import { isAt, selectionOf, shownRegion } from "./region-key";
import { START } from "./route";

const REGION = { x: 10, y: 0, width: 300, height: 40 };
const OPENED = { ...START, ...selectionOf({ shown: { overlay: "attention" } }, "S:1", REGION) };

describe("regions in addresses", () => {
  it("come back as they were, beside what else is shown", () => {
    expect(OPENED).toMatchObject({ selected: "S:1", shown: { overlay: "attention", region: "10,0,300,40:S:1" } });
    expect(shownRegion(OPENED)).toEqual(REGION);
    expect(selectionOf(OPENED, "S2", null)).toEqual({ selected: "S2", shown: { overlay: "attention" } });
  });

  it("are of one slide: another that is opened has none", () => {
    expect(shownRegion({ ...OPENED, selected: "S2" })).toBeNull();
  });

  it.each(["", "1,2,3:S1", "a,b,c,d:S1", "1,2,0,5:S1", "1,2,3,-5:S1", "1,2,3,4"])("are none of %j", (region) => {
    expect(shownRegion({ selected: "S1", shown: { region } })).toBeNull();
  });

  it("tell the results of one slide from each other", () => {
    expect(isAt({ slide_id: "S:1", region: REGION }, OPENED)).toBe(true);
    expect(isAt({ slide_id: "S:1", region: { ...REGION, x: 11 } }, OPENED)).toBe(false);
    expect(isAt({ slide_id: "S2", region: REGION }, OPENED)).toBe(false);
    expect(isAt({ slide_id: "S:1", region: null }, OPENED)).toBe(true);
  });
});
