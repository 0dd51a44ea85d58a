/** The tree's own rules. */
import { describe, expect, it } from "vitest";
import lock from "../package-lock.json?raw";
import { strings } from "./strings";

const SOURCES: Readonly<Record<string, string>> = import.meta.glob(["./**/*.ts", "./**/*.tsx", "!./api/openapi.ts"], {
  query: "?raw",
  import: "default",
  eager: true,
});

/** Rooms by height: one imports from its own height and from lower ones. */
const HEIGHTS: Readonly<Record<string, number>> = { strings: 0, api: 1, state: 2, ui: 3 };
const TOP = 4;

const MOST_LINES = 300;

function roomOf(file: string): string {
  return file.replace(/^\.\//, "").split(/[/.]/)[0] ?? "";
}

function heightOf(room: string): number {
  return HEIGHTS[room] ?? TOP;
}

function importsOf(file: string, source: string): string[] {
  return [...source.matchAll(/from "(\.[^"]+)"/g)].map(([, to = ""]) =>
    new URL(to, `file:///${file}`).pathname.slice(1),
  );
}

describe("the tree", () => {
  it.each(Object.entries(SOURCES))("imports downward only, in modules that stay small: %s", (file, source) => {
    const height = heightOf(roomOf(file));
    const upward = importsOf(file.slice(2), source).filter((to) => heightOf(roomOf(to)) > height);
    expect(upward).toEqual([]);
    expect(source.split("\n").length).toBeLessThanOrEqual(MOST_LINES + 1);
  });

  it("has no rooms that import each other", () => {
    const rooms = new Map<string, Set<string>>();
    for (const [file, source] of Object.entries(SOURCES)) {
      const room = roomOf(file);
      const others = importsOf(file.slice(2), source).map((to) => roomOf(to));
      rooms.set(room, new Set([...(rooms.get(room) ?? []), ...others.filter((other) => other !== room)]));
    }
    for (;;) {
      const done = [...rooms].filter(([, others]) => ![...others].some((other) => rooms.has(other)));
      if (!done.length) break;
      for (const [room] of done) rooms.delete(room);
    }
    expect([...rooms.keys()]).toEqual([]);
  });

  it("writes no English out beside strings/", () => {
    const written = /(?:>|\b(?:aria-label|title|placeholder|alt)=")\s*[A-Z]?[a-z]+(?: [a-z]+)+[.?]?\s*(?:<\/|")/;
    const found = Object.entries(SOURCES).filter(([file, source]) => file.endsWith(".tsx") && written.test(source));
    expect(found.map(([file]) => file)).toEqual([]);
  });
});

describe("the texts", () => {
  const code = Object.entries(SOURCES)
    .filter(([file]) => !file.endsWith(".test.ts") && !file.startsWith("./strings/"))
    .map(([, source]) => source)
    .join("\n");

  it.each(Object.entries(strings))("are all used: %s", (_, texts) => {
    expect(Object.keys(texts).filter((name) => !new RegExp(`\\b${name}\\b`).test(code))).toEqual([]);
  });
});

interface Locked {
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly resolved?: string;
}

describe("the lock file", () => {
  const packages = Object.entries<Locked>(JSON.parse(lock).packages);

  it("has what other platforms need, or else they can't install", () => {
    const wanted = packages.flatMap(([, { optionalDependencies = {} }]) => Object.keys(optionalDependencies));
    const missing = wanted.filter((name) => !packages.some(([path]) => path.endsWith(`node_modules/${name}`)));
    expect(missing).toEqual([]);
  });

  it("names no registry", () => {
    expect(packages.filter(([, { resolved }]) => resolved !== undefined)).toEqual([]);
  });
});
