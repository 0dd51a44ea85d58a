/** The annotations of a slide, and what changes them; one change is sent after the other. */
import { type Signal, useSignal } from "@preact/signals";
import { useMemo, useRef } from "preact/hooks";
import { annotations as api, type Picture } from "../api/endpoints";
import { type ApiError, asApiError } from "../api/error";
import type { AnnotationContent, AnnotationFeature } from "../api/types";
import { useResource } from "../state/resource";
import { toast } from "../state/toasts";
import { strings } from "../strings";
import type { Geometry } from "./geometry";

const NOTE = "ANNOTATION_DESCRIPTION";
const NONE: readonly never[] = [];

/** What is written on an annotation. */
export interface Facts {
  readonly label: string;
  readonly note: string;
  readonly colour: string;
  readonly isShared: boolean;
}

/** What of an annotation becomes different. */
export interface Change {
  readonly geometry?: Geometry;
  readonly facts?: Facts;
}

/** version: the first that has the change; null while it is on its way. */
interface Changed extends Change {
  readonly version: number | null;
}

/** Changes by the ids of their annotations, shown until what is asked from the server has them. */
type AllChanged = Signal<ReadonlyMap<string, Changed>>;

export interface Annotations {
  readonly all: readonly AnnotationFeature[];
  readonly error: ApiError | null;
  /** The new one; null where it was refused, which is told. */
  add(geometry: Geometry, facts: Facts): Promise<AnnotationFeature | null>;
  /** Whether it was taken; a refusal is told. What is not changed stays as it is, also while another change is on its way. */
  change(annotation: AnnotationFeature, change: Change): Promise<boolean>;
  remove(annotation: AnnotationFeature): Promise<void>;
  importFile(file: File): Promise<void>;
}

/** of: null while there is no picture to draw on. */
export function useAnnotations(of: Picture | null): Annotations {
  const { value, error, reload } = useResource(of, api.list);
  const queue = useRef<Promise<unknown>>(Promise.resolve());
  const changed = useSignal<ReadonlyMap<string, Changed>>(new Map());
  const features = (of && value?.features) || NONE;
  const all = useMemo(
    () => features.map((one) => withChange(one, changed.value.get(one.id))),
    [features, changed.value],
  );
  const changes = useMemo(() => (of ? makeChanges(of, reload, queue, changed) : null), [JSON.stringify(of)]);
  return { all, error, ...(changes ?? NO_CHANGES) };
}

const NO_CHANGES = {
  add: async () => null,
  change: async () => false,
  remove: async () => undefined,
  importFile: async () => undefined,
};

function makeChanges(of: Picture, reload: () => void, queue: { current: Promise<unknown> }, changed: AllChanged) {
  const versions = new Map<string, number>();
  const send = <Answer>(work: () => Promise<Answer>): Promise<Answer | null> => {
    const sent = queue.current.then(work).catch((error: unknown) => {
      toast(asApiError(error).message, "error");
      versions.clear();
      return null;
    });
    queue.current = sent.then(reload);
    return sent;
  };
  return {
    add: async (geometry: Geometry, facts: Facts) => {
      const feature = featureOf(geometry, facts);
      const made = await send(() =>
        api.add(of, { type: "FeatureCollection", features: [feature], is_shared: facts.isShared }),
      );
      return made?.features[0] ?? null;
    },
    change: async (annotation: AnnotationFeature, change: Change) => {
      const { id, properties } = annotation;
      const before = changed.peek().get(id);
      const whole: Changed = { ...(before && isAhead(before, annotation) ? before : {}), ...change, version: null };
      note(changed, id, whole);
      const { geometry = annotation.geometry, facts = factsOf(annotation) } = whole;
      const feature = featureOf(geometry, facts, annotation);
      const version = await send(async () => {
        const last = versions.get(id) ?? properties.histoseek.version;
        const answer = await api.change(of, id, { feature, version: last, is_shared: facts.isShared });
        versions.set(id, answer.properties.histoseek.version);
        return answer.properties.histoseek.version;
      });
      if (changed.peek().get(id) === whole) note(changed, id, version === null ? null : { ...whole, version });
      return version !== null;
    },
    remove: async ({ id }: AnnotationFeature) => {
      await send(() => api.remove(of, id));
    },
    importFile: async (file: File) => {
      const features = await featuresIn(file);
      if (!features) toast(strings.annotations.notGeoJson, "error");
      const made =
        features && (await send(() => api.add(of, { type: "FeatureCollection", features, is_shared: false })));
      if (made) toast(strings.annotations.imported(made.features.length));
    },
  };
}

/** Have it known what is changed of an annotation; null: nothing. */
function note(changed: AllChanged, id: string, change: Changed | null): void {
  const next = new Map(changed.peek());
  if (change) next.set(id, change);
  else next.delete(id);
  changed.value = next;
}

/** Whether an annotation is as it was before a change. */
function isAhead({ version }: Changed, { properties }: AnnotationFeature): boolean {
  return version === null || properties.histoseek.version < version;
}

/** An annotation as it is once a change of it has come to the server. */
function withChange(annotation: AnnotationFeature, change: Changed | undefined): AnnotationFeature {
  const { geometry, properties } = annotation;
  if (!change || !isAhead(change, annotation)) return annotation;
  const { classification: _class, color: _colour, metadata: _metadata, name: _name, ...others } = properties;
  const facts = change.facts ?? factsOf(annotation);
  const written = featureOf(change.geometry ?? geometry, facts, annotation);
  const histoseek = { ...properties.histoseek, is_shared: facts.isShared };
  return {
    ...annotation,
    ...written,
    properties: { ...others, ...(written.properties as object), histoseek },
  } as AnnotationFeature;
}

/** The facts of an annotation, for a form. */
export function factsOf({ properties }: AnnotationFeature): Facts {
  return {
    label: properties.classification?.name ?? properties.name ?? "",
    note: properties.metadata?.[NOTE] ?? "",
    colour: colourOf(properties.classification?.color ?? properties.color) ?? USUAL_COLOUR,
    isShared: properties.histoseek.is_shared,
  };
}

export const USUAL_COLOUR = "#146eb4";

type Feature = AnnotationContent["feature"];

function featureOf(geometry: Geometry, { label, note, colour }: Facts, before?: AnnotationFeature): Feature {
  const rgb = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
  const named = before?.properties.name;
  return {
    type: "Feature",
    geometry: { type: geometry.type, coordinates: geometry.coordinates },
    properties: {
      objectType: "annotation",
      isLocked: before?.properties.isLocked ?? false,
      ...(named && named !== factsName(before) ? { name: named } : {}),
      ...(label ? { classification: { name: label, color: rgb } } : { color: rgb }),
      ...(note ? { metadata: { [NOTE]: note } } : {}),
    },
  } as Feature;
}

/** The name that stood in the field of the class, where there was no class. */
function factsName({ properties }: AnnotationFeature): string | null | undefined {
  return properties.classification ? null : properties.name;
}

function colourOf(rgb: readonly number[] | null | undefined): string | null {
  return rgb ? `#${rgb.map((part) => part.toString(16).padStart(2, "0")).join("")}` : null;
}

/** The features of a GeoJSON file; null for another file. */
async function featuresIn(file: File): Promise<Feature[] | null> {
  try {
    const document: unknown = JSON.parse(await file.text());
    const held = document as { type?: string; features?: unknown };
    const features = Array.isArray(document) ? document : held.type === "Feature" ? [document] : held.features;
    return Array.isArray(features) ? (features as Feature[]) : null;
  } catch {
    return null;
  }
}
