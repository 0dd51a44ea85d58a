/** Collect results: those of the page, or as many of all pages as a search gives at once. */
import type { JSX } from "preact";
import { searches } from "../api/endpoints";
import { asApiError } from "../api/error";
import type { SearchResponse } from "../api/types";
import { openAddDialog } from "../collections/add-dialog";
import { archive, archiveName } from "../state/archives";
import { route } from "../state/navigation";
import { searchRequestOf } from "../state/search-request";
import { selection } from "../state/selection";
import { toast } from "../state/toasts";
import { strings } from "../strings";
import { Menu } from "../ui/menu";

const words = strings.results.collecting;
const MOST = 500;

export function CollectMenu({ response }: { response: SearchResponse }): JSX.Element {
  const ids = idsOf(response);
  const selected = selection.value;
  return (
    <Menu
      label={words.title}
      icon="collection"
      items={[
        ...(selected.length ? [{ label: words.selected(selected.length), run: () => openAddDialog(selected) }] : []),
        { label: words.these(ids.length), run: () => openAddDialog(ids) },
        ...(response.next_offset === null ? [] : [{ label: words.all(MOST), run: () => void collectAll() }]),
      ]}
    />
  );
}

async function collectAll(): Promise<void> {
  const request = searchRequestOf(route.peek(), archive.peek());
  if (!request) return;
  try {
    openAddDialog(idsOf(await searches.search(archiveName.peek(), { ...request, k: MOST, offset: 0 })));
  } catch (error) {
    toast(asApiError(error).message, "error");
  }
}

function idsOf({ results }: SearchResponse): readonly string[] {
  return [...new Set(results.map(({ slide_id }) => slide_id))];
}
