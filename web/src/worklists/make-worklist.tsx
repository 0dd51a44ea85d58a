import type { JSX } from "preact";
import type { WorklistSlide } from "../api/types";
import { strings } from "../strings";
import { Button } from "../ui/button";
import { Menu } from "../ui/menu";
import { makeWorklist } from "./store";

const words = strings.worklists;

export interface MakeWorklistProps {
  /** Slides of archives, or uploads to ask archives with; of several archives one can be chosen. */
  readonly slides: readonly (WorklistSlide & { readonly archive: string })[];
}

/** Searches with many slides for one table. */
export function MakeWorklist({ slides }: MakeWorklistProps): JSX.Element | null {
  const archives = [...new Set(slides.map(({ archive }) => archive))];
  const make = (wanted: string): void => {
    const own = slides.filter(({ archive }) => archive === wanted);
    void makeWorklist(
      wanted,
      own.map(({ archive: _, ...slide }) => slide),
    );
  };
  const [only] = archives;
  if (only === undefined) return null;
  if (archives.length > 1) {
    return <Menu label={words.make} items={archives.map((name) => ({ label: name, run: () => make(name) }))} />;
  }
  return <Button onClick={() => make(only)}>{words.make}</Button>;
}
