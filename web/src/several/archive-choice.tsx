import type { JSX } from "preact";
import { archiveList } from "../state/archives";
import { hrefTo } from "../state/navigation";
import { strings } from "../strings";
import "./several.css";

const words = strings.several;

/** Leads to one of the archives, where all were chosen and one has to be. */
export function ArchiveChoice({ explain }: { explain: string }): JSX.Element {
  return (
    <div class="several">
      <h1>{words.all}</h1>
      <p>{explain}</p>
      <ul class="several-archives">
        {archiveList.state.value.value?.map(({ name, slides }) => (
          <li key={name}>
            <a href={hrefTo({ archive: name, shown: {} })}>{name}</a> <span class="faint">{words.slides(slides)}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
