import type { JSX } from "preact";
import { forgetSearches, type PastSearch, pastSearches } from "../state/search-history";
import { strings } from "../strings";
import { Button } from "../ui/button";
import { Note } from "../ui/status";

const words = strings.history;

/** The last searches of this tab, with links to them. */
export function HistoryView(): JSX.Element {
  const searches = pastSearches.value;
  return (
    <div class="view-page">
      <h1>{words.title}</h1>
      <p>{words.explain}</p>
      {searches.length ? <Searches searches={searches} /> : <Note>{words.none}</Note>}
    </div>
  );
}

function Searches({ searches }: { searches: readonly PastSearch[] }): JSX.Element {
  return (
    <>
      <div class="table-room">
        <table class="table">
          <thead>
            <tr>
              <th scope="col">{words.what}</th>
              <th scope="col">{words.filters}</th>
              <th scope="col">{words.archive}</th>
              <th scope="col" class="number">
                {words.results}
              </th>
              <th scope="col">{words.when}</th>
            </tr>
          </thead>
          <tbody>
            {searches.map(({ href, label, filters, archive, results, at }) => (
              <tr key={href}>
                <td>
                  <a href={href}>{label}</a>
                </td>
                <td>{filters}</td>
                <td>{archive}</td>
                <td class="number">{results}</td>
                <td>
                  <time dateTime={at}>{new Date(at).toLocaleTimeString()}</time>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <Button icon="trash" onClick={forgetSearches}>
        {words.forget}
      </Button>
    </>
  );
}
