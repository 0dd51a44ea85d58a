import { describe, expect, it } from "vitest";
import { placeName, placeText, type ShownPlace, shownPlace, withoutPlaces } from "./shown-place";

const PLACE: ShownPlace = { x: 1234.5, y: -60.2, scale: 0.123456, degrees: 90.25, flipped: true };

const read = (written: string, slide = "S:1") => shownPlace({ shown: { view: written } }, "result", slide);

describe("places in addresses", () => {
  it("are read as they were written", () => {
    for (const flipped of [true, false]) {
      for (const degrees of [0, 90.25]) {
        const place = { ...PLACE, degrees, flipped };
        expect(read(placeText(place, "S:1"))).toEqual(place);
      }
    }
    expect(placeText({ ...PLACE, degrees: 0, flipped: false }, "S-1")).toBe("1234.5,-60.2,0.123456:S-1");
  });

  it("are of one slide and one side", () => {
    expect(read(placeText(PLACE, "S:1"), "S:2")).toBeNull();
    expect(shownPlace({ shown: { view: placeText(PLACE, "S:1") } }, "query", "S:1")).toBeNull();
  });

  it.each(["", "1,2,3", "1,2:S:1", "1,2,0:S:1", "1,2,-4:S:1", "a,2,3:S:1", "1,2,3,x:S:1"])(
    "are none in %o",
    (written) => {
      expect(read(written)).toBeNull();
    },
  );

  it("are left out for another place", () => {
    expect(withoutPlaces({ [placeName("query")]: "1", [placeName("result")]: "2", overlay: "3" })).toEqual({
      overlay: "3",
    });
  });
});
