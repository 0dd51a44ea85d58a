import type { JSX } from "preact";
import { useId, useMemo, useState } from "preact/hooks";
import { archives } from "../api/endpoints";
import type { ArchiveInfo, ArchiveMap } from "../api/types";
import { archive, archiveChanges } from "../state/archives";
import { hrefTo, route, show } from "../state/navigation";
import { useResource } from "../state/resource";
import { strings } from "../strings";
import { Button, IconButton } from "../ui/button";
import { ErrorPanel, Note, Spinner } from "../ui/status";
import { colourColumn, colourColumns } from "./colour-columns";
import { type Group, groupsOf } from "./groups";
import { placesInRectangle } from "./hit-test";
import { Legend } from "./legend";
import { MapCanvas } from "./map-canvas";
import { MapView, ZOOM_STEP } from "./map-view";
import { SelectedSlides } from "./selected-slides";
import "./overview.css";

const texts = strings.overview;

/** The archive as a map: near are slides that look alike. */
export function OverviewView(): JSX.Element {
  const info = archive.value;
  return info ? <ArchiveOverview key={info.name} info={info} /> : <Spinner />;
}

function ArchiveOverview({ info }: { info: ArchiveInfo }): JSX.Element {
  const column = colourColumn(info, route.value.shown.label ?? null);
  const { value, error, loading, reload } = useResource(
    { name: info.name, column, changes: archiveChanges.value },
    mapOf,
  );
  return (
    <div class="overview">
      <header class="overview-head">
        <h1>{texts.title(info.name)}</h1>
        <p>{texts.contents(info.slides, info.cases, info.patients)}</p>
        <LabelChoice columns={colourColumns(info)} chosen={column} />
      </header>
      <WholeArchive />
      {error && <ErrorPanel error={error} onRetry={reload} />}
      {!value && loading && <Spinner label={texts.loading} />}
      {value && value.slide_ids.length === 0 && <Note>{texts.empty}</Note>}
      {value && value.slide_ids.length > 0 && <Overview map={value} />}
    </div>
  );
}

/** That filters, which the address keeps for other views, are not those of the map. */
function WholeArchive(): JSX.Element | null {
  const { filters, settings } = route.value;
  if (!filters.length && settings.where === null) return null;
  return (
    <Note>
      {texts.whole} <a href={hrefTo({ view: "results", query: null, selected: null })}>{texts.toFiltered}</a>
    </Note>
  );
}

interface MapOf {
  readonly name: string;
  readonly column: string | null;
  /** Of archives: another content is another map. */
  readonly changes: number;
}

function mapOf({ name, column }: MapOf, signal: AbortSignal): Promise<ArchiveMap> {
  return archives.map(name, column, signal);
}

function LabelChoice({ columns, chosen }: { columns: readonly string[]; chosen: string | null }): JSX.Element | null {
  const id = useId();
  if (!columns.length) return null;
  return (
    <div class="overview-label-choice">
      <label for={id}>{texts.colourBy}</label>
      <select
        id={id}
        class="select"
        value={chosen ?? ""}
        onChange={(event) => show("label", event.currentTarget.value)}
      >
        {columns.map((name) => (
          <option key={name}>{name}</option>
        ))}
      </select>
    </div>
  );
}

const NONE: ReadonlySet<number> = new Set();

function Overview({ map }: { map: ArchiveMap }): JSX.Element {
  // Another column colours the same places: what is seen and chosen stays.
  const places = map.slide_ids.join("\n");
  const spots = useMemo(() => ({ x: map.x, y: map.y }), [places]);
  const view = useMemo(() => new MapView(spots), [spots]);
  const groups = useMemo(() => groupsOf(map.labels), [map]);
  const [chosen, setChosen] = useState<ReadonlySet<number>>(NONE);
  const [lassoing, setLassoing] = useState(false);
  const choose = (wanted: readonly number[], add: boolean): void =>
    setChosen(new Set([...(add ? chosen : []), ...wanted]));
  const leave = (unwanted: readonly number[]): void => {
    const gone = new Set(unwanted);
    setChosen(new Set([...chosen].filter((place) => !gone.has(place))));
  };
  const toggle = (place: number): void => (chosen.has(place) ? leave([place]) : choose([place], true));
  const chooseSeen = (): void => {
    const corners = view.corners();
    if (corners) choose(placesInRectangle(...corners, spots), false);
  };
  const nameOf = (place: number) => ({ id: map.slide_ids[place] ?? "", label: map.labels[place] || texts.unknown });
  return (
    <div class="overview-body">
      <div class="overview-field">
        <MapTools view={view} lassoing={lassoing} onLassoing={setLassoing} onChooseSeen={chooseSeen} />
        <MapCanvas
          spots={spots}
          groups={groups}
          chosen={chosen}
          lassoing={lassoing}
          view={view}
          onChoose={choose}
          onToggle={toggle}
          nameOf={nameOf}
        />
        <p class="faint">{texts.method(map.method, map.slide_ids.length, map.slides)}</p>
      </div>
      <aside class="overview-side" aria-label={texts.side}>
        <Legend
          groups={groups}
          total={map.slide_ids.length}
          chosen={chosen}
          onChange={(group: Group, isChosen) => (isChosen ? choose(group.places, true) : leave(group.places))}
        />
        <SelectedSlides slides={[...chosen].sort((a, b) => a - b).map(nameOf)} onClear={() => setChosen(NONE)} />
      </aside>
    </div>
  );
}

interface MapToolsProps {
  readonly view: MapView;
  readonly lassoing: boolean;
  readonly onLassoing: (lassoing: boolean) => void;
  readonly onChooseSeen: () => void;
}

function MapTools({ view, lassoing, onLassoing, onChooseSeen }: MapToolsProps): JSX.Element {
  return (
    <div class="overview-tools">
      <Button icon="region" pressed={lassoing} title={texts.lassoTip} onClick={() => onLassoing(!lassoing)}>
        {texts.lasso}
      </Button>
      <Button title={texts.chooseSeenTip} onClick={onChooseSeen}>
        {texts.chooseSeen}
      </Button>
      <IconButton icon="minus" label={texts.zoomOut} onClick={() => view.zoom(1 / ZOOM_STEP)} />
      <IconButton icon="plus" label={texts.zoomIn} onClick={() => view.zoom(ZOOM_STEP)} />
      <IconButton icon="home" label={texts.home} onClick={() => view.home()} />
    </div>
  );
}
