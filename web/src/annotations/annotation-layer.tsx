import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import type { AnnotationFeature } from "../api/types";
import { strings } from "../strings";
import type { SlideHandle } from "../viewer/handle";
import { ARROWS, pointIn } from "../viewer/input";
import { centreOf, inPx, type Point, stepOnSlide, toScreen, toSlide, turned, type View } from "../viewer/view";
import {
  boundsOfGeometry,
  cornersOf,
  type Geometry,
  movedBy,
  onSlide,
  pathsOf,
  svgPath,
  withCorners,
} from "./geometry";
import { factsOf } from "./store";

const KEY_STEP_PX = 4;
const MOST_HANDLES = 200;

export interface AnnotationLayerProps {
  readonly slide: SlideHandle;
  readonly annotations: readonly AnnotationFeature[];
  readonly selected: string | null;
  readonly onSelect: (id: string) => void;
  readonly onReshape: (annotation: AnnotationFeature, geometry: Geometry) => void;
}

/** Shapes over a slide, as turned as it is; the chosen one with handles. For screen readers they are in the list. */
export function AnnotationLayer(props: AnnotationLayerProps): JSX.Element | null {
  const { slide, annotations, selected } = props;
  const view = slide.view.value;
  const chosen = annotations.find(({ id }) => id === selected) ?? null;
  const [edited, setEdited] = useState<Geometry | null>(null);
  useEffect(() => setEdited(null), [selected]);
  if (!view) return null;
  const shapeOf = (one: AnnotationFeature): Geometry => (one === chosen && edited) || one.geometry;
  const isEditable = chosen?.properties.histoseek.is_mine && !chosen.properties.isLocked;
  return (
    <div class="annotations-layer">
      <svg class="annotations-shapes" aria-hidden="true">
        <g transform={matrixOf(view)}>
          {annotations.map((one) => (
            <Shape
              key={one.id}
              geometry={shapeOf(one)}
              colour={factsOf(one).colour}
              isSelected={one === chosen}
              onSelect={() => props.onSelect(one.id)}
            />
          ))}
        </g>
        {annotations.map((one) => (
          <Marks key={one.id} view={view} annotation={one} geometry={shapeOf(one)} onSelect={props.onSelect} />
        ))}
      </svg>
      {chosen && isEditable && (
        <Handles
          view={view}
          slide={slide}
          geometry={shapeOf(chosen)}
          onMove={setEdited}
          onEnd={(geometry) => {
            setEdited(null);
            props.onReshape(chosen, geometry);
          }}
        />
      )}
    </div>
  );
}

interface ShapeProps {
  readonly geometry: Geometry;
  readonly colour: string;
  readonly isSelected: boolean;
  readonly onSelect: () => void;
}

/** A line with a white edge, as wide at every zoom. */
function Shape({ geometry, colour, isSelected, onSelect }: ShapeProps): JSX.Element | null {
  const path = useMemo(() => (geometry.type.endsWith("Point") ? "" : svgPath(geometry)), [geometry]);
  if (!path) return null;
  return (
    <g class={isSelected ? "is-selected" : undefined}>
      <path class="annotations-edge" d={path} />
      <path class="annotations-line" d={path} stroke={colour} />
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the list of annotations does the same by keys. */}
      <path class="annotations-hit" d={path} onClick={onSelect} />
    </g>
  );
}

interface MarksProps {
  readonly view: View;
  readonly annotation: AnnotationFeature;
  readonly geometry: Geometry;
  readonly onSelect: (id: string) => void;
}

/** What is as large at every zoom: points, and the name at the topmost corner. */
function Marks({ view, annotation, geometry, onSelect }: MarksProps): JSX.Element {
  const { label, colour } = factsOf(annotation);
  const places = useMemo(() => pathsOf(geometry).flat(), [geometry]);
  const isPoint = geometry.type.endsWith("Point");
  const seen = isPoint || label ? places.map((place) => toScreen(view, place)) : [];
  const top = label ? seen.reduce((best, place) => (place.y < best.y ? place : best), seen[0] as Point) : null;
  return (
    <g>
      {isPoint &&
        seen.map(({ x, y }) => (
          // biome-ignore lint/a11y/noStaticElementInteractions: the list of annotations does the same by keys.
          <circle
            key={`${x} ${y}`}
            class="annotations-point"
            cx={x}
            cy={y}
            r={7}
            stroke={colour}
            onClick={() => onSelect(annotation.id)}
          />
        ))}
      {top && (
        <text class="annotations-name" x={top.x + 8} y={top.y - 6} fill={colour}>
          {label}
        </text>
      )}
    </g>
  );
}

interface HandlesProps {
  readonly view: View;
  readonly slide: SlideHandle;
  readonly geometry: Geometry;
  readonly onMove: (geometry: Geometry) => void;
  readonly onEnd: (geometry: Geometry) => void;
}

/** A handle at each corner, and one that moves all of it. */
function Handles({ view, slide, geometry, onMove, onEnd }: HandlesProps): JSX.Element | null {
  const corners = cornersOf(geometry);
  if (!corners || corners.length > MOST_HANDLES) return null;
  const { image } = slide.source;
  const withCorner = (place: number, to: Point): Geometry =>
    withCorners(geometry, corners.with(place, onSlide(to, image)));
  const middle = centreOf(boundsOfGeometry(geometry));
  const moved = (to: Point): Geometry =>
    withCorners(geometry, movedBy(corners, { x: to.x - middle.x, y: to.y - middle.y }, image));
  return (
    <>
      {corners.length > 1 &&
        corners.map((corner, place) => (
          <Handle
            key={place}
            view={view}
            at={corner}
            label={strings.annotations.vertex(place + 1)}
            shapeAt={(to) => withCorner(place, to)}
            onMove={onMove}
            onEnd={onEnd}
          />
        ))}
      <Handle
        view={view}
        at={middle}
        isMiddle
        label={strings.annotations.move}
        shapeAt={moved}
        onMove={onMove}
        onEnd={onEnd}
      />
    </>
  );
}

interface HandleProps {
  readonly view: View;
  readonly at: Point;
  readonly isMiddle?: boolean;
  readonly label: string;
  readonly shapeAt: (to: Point) => Geometry;
  readonly onMove: (geometry: Geometry) => void;
  readonly onEnd: (geometry: Geometry) => void;
}

function Handle({ view, at, isMiddle = false, label, shapeAt, onMove, onEnd }: HandleProps): JSX.Element {
  const [held, setHeld] = useState<number | null>(null);
  const [moved, setMoved] = useState<Geometry | null>(null);
  const { x, y } = toScreen(view, at);
  const move = (to: Point): void => {
    const geometry = shapeAt(to);
    setMoved(geometry);
    onMove(geometry);
  };
  const end = (): void => {
    setHeld(null);
    if (moved) onEnd(moved);
    setMoved(null);
  };
  return (
    <button
      type="button"
      class={`annotations-handle ${isMiddle ? "is-middle" : ""}`}
      style={{ transform: `translate(${inPx(x)}, ${inPx(y)})` }}
      aria-label={label}
      title={label}
      onPointerDown={(event) => {
        if (event.button !== 0 || !event.isPrimary) return;
        event.currentTarget.setPointerCapture(event.pointerId);
        setHeld(event.pointerId);
      }}
      onPointerMove={(event) => {
        if (held === event.pointerId) move(toSlide(view, pointIn(event.currentTarget.parentElement, event)));
      }}
      onPointerUp={end}
      onPointerCancel={end}
      onBlur={() => held === null && end()}
      onKeyDown={(event) => {
        const arrow = ARROWS[event.key];
        if (!arrow) return;
        const step = stepOnSlide(view, { x: arrow.x * KEY_STEP_PX, y: arrow.y * KEY_STEP_PX });
        move({ x: at.x + step.x, y: at.y + step.y });
        event.preventDefault();
        event.stopPropagation();
      }}
      onKeyUp={({ key }) => key in ARROWS && end()}
    />
  );
}

/** From level-0 px to the screen, for SVG. */
function matrixOf(view: View): string {
  const [right, down] = [turned(view.turn, { x: 1, y: 0 }), turned(view.turn, { x: 0, y: 1 })];
  const origin = toScreen(view, { x: 0, y: 0 });
  const linear = [right.x, right.y, down.x, down.y].map((value) => value / view.scale);
  return `matrix(${[...linear, origin.x, origin.y].join(" ")})`;
}
