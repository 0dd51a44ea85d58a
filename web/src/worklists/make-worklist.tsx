import type { JSX } from "preact";
import { strings } from "../strings";
import { Button } from "../ui/button";
import { Menu } from "../ui/menu";
import { makeWorklist } from "./store";

const words = strings.worklists;

export interface MakeWorklistProps {
  /** Slides by archive; of one archive it is the button alone, of several each can be chosen. */
  readonly slides: readonly { readonly archive: string; readonly slide_id: string }[];
}

/** Searches with many slides for one table. */
export function MakeWorklist({ slides }: MakeWorklistProps): JSX.Element | null {
  const archives = [...new Set(slides.map(({ archive }) => archive))];
  const make = (wanted: string): void => {
    const ids = slides.filter(({ archive }) => archive === wanted).map(({ slide_id }) => ({ slide_id }));
    void makeWorklist(wanted, ids);
  };
  const [only] = archives;
  if (only === undefined) return null;
  if (archives.length > 1) {
    return <Menu label={words.make} items={archives.map((name) => ({ label: name, run: () => make(name) }))} />;
  }
  return <Button onClick={() => make(only)}>{words.make}</Button>;
}
