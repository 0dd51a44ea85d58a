/** The header: search, views, archive, and what is of the page as a whole. */
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { focusSearch } from "./search/focus";
import { routeInArchive } from "./search/other-archive";
import { SearchBar } from "./search/search-bar";
import { routeInAll } from "./several/route";
import { archiveList, archiveName, asksAll } from "./state/archives";
import { go, hrefTo, route, view } from "./state/navigation";
import { ALL_ARCHIVES, MAIN_VIEWS, START, type View } from "./state/route";
import { logOut, tokenSession } from "./state/session";
import { helpOpen, useShortcuts } from "./state/shortcuts";
import { isDark, switchTheme } from "./state/theme";
import { strings } from "./strings";
import { IconButton } from "./ui/button";
import { Icon, type IconName } from "./ui/icons";

const VIEW_ICONS: Record<View, IconName> = {
  results: "search",
  compare: "compare",
  board: "compare",
  case: "collection",
  overview: "overview",
  collections: "collection",
  work: "upload",
  history: "history",
};

/** Capital letters: figures select results, small letters are of what is shown. */
const VIEW_KEYS = { results: "S", overview: "O", collections: "C", work: "W", history: "H" } as const;

export function Header(): JSX.Element {
  usePageShortcuts();
  return (
    <header class="header">
      <a class="brand" href={hrefTo({ ...START, archive: archiveName.value || null })}>
        {strings.app.name}
      </a>
      <ArchivePicker />
      <search class="header-search" aria-label={strings.search.landmark}>
        <SearchBar />
      </search>
      <Views />
      <PageButtons />
    </header>
  );
}

function ArchivePicker(): JSX.Element | null {
  const archives = archiveList.state.value.value ?? [];
  if (!archives.length) return null;
  const choose = (name: string): void => {
    if (name === ALL_ARCHIVES) go(routeInAll(route.peek(), archiveName.peek()));
    const chosen = archives.find((one) => one.name === name);
    if (chosen) go(routeInArchive(route.peek(), chosen));
  };
  return (
    <select
      class="select"
      aria-label={strings.app.archive}
      value={asksAll.value ? ALL_ARCHIVES : archiveName.value}
      onChange={(event) => choose(event.currentTarget.value)}
    >
      {archives.length > 1 && <option value={ALL_ARCHIVES}>{strings.several.all}</option>}
      {archives.map(({ name, slides }) => (
        <option key={name} value={name}>
          {`${name} (${strings.app.slides(slides)})`}
        </option>
      ))}
    </select>
  );
}

function Views(): JSX.Element {
  return (
    <nav aria-label={strings.app.navigation}>
      <ul class="views">
        {MAIN_VIEWS.map((name) => (
          <li key={name}>
            <a
              href={hrefTo({ view: name })}
              title={strings.app.views[name]}
              aria-current={view.value === name ? "page" : undefined}
            >
              <Icon name={VIEW_ICONS[name]} />
              <span class="view-name">{strings.app.views[name]}</span>
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function PageButtons(): JSX.Element {
  const who = tokenSession();
  const label = isDark.value ? strings.app.toLight : strings.app.toDark;
  return (
    <div class="header-end">
      <IconButton icon="keyboard" label={strings.help.open} onClick={() => openHelp()} />
      <IconButton icon="theme" label={label} onClick={switchTheme} />
      {who && (
        <IconButton
          icon="logOut"
          label={`${strings.session.logOut} (${strings.session.signedInAs(who.name, strings.session.roles[who.role])})`}
          onClick={() => void logOut()}
        />
      )}
    </div>
  );
}

function openHelp(): void {
  helpOpen.value = true;
}

function usePageShortcuts(): void {
  const own = useMemo(
    () => [
      { key: "?", label: strings.help.open, run: openHelp },
      { key: "/", label: strings.help.focusSearch, run: focusSearch },
      { key: "T", label: strings.help.theme, run: switchTheme },
      ...MAIN_VIEWS.map((name) => ({
        key: VIEW_KEYS[name],
        label: strings.help.view(strings.app.views[name]),
        run: () => go({ view: name }),
      })),
    ],
    [],
  );
  useShortcuts(own);
}
