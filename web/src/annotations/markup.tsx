/** Annotations, ruler, appearance and figures of one viewer: its tools, and what lies over its slide. */
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Picture } from "../api/endpoints";
import type { AnnotationFeature } from "../api/types";
import { useMode } from "../state/modes";
import { placeOfReader, route, show } from "../state/navigation";
import { strings } from "../strings";
import { Button, IconButton } from "../ui/button";
import { AppearanceFilter, AppearanceTool } from "../viewer/appearance-tool";
import { FigureTool } from "../viewer/figure-tool";
import type { SlideHandle } from "../viewer/handle";
import { AnnotationLayer } from "./annotation-layer";
import { AnnotationPanel } from "./annotation-panel";
import { FIRST_TOOL, type Tool } from "./draft";
import { DrawingLayer } from "./drawing-layer";
import { boundsOfGeometry, type Geometry } from "./geometry";
import { type Annotations, type Facts, factsOf, USUAL_COLOUR, useAnnotations } from "./store";
import "./annotations.css";

const texts = strings.annotations;
const ADDRESS = "annotation";

/** Where panels lie along the lower edge of the window, as annotations.css says: there is room for one. */
const NARROW = "(max-width: 43.75em)";
const LOWER_EDGE = "lower edge";

export interface Markup {
  readonly tools: (slide: SlideHandle) => ComponentChildren;
  readonly layers: (slide: SlideHandle) => ComponentChildren;
}

/** of: what is shown; hasPicture: whether there is something to draw on. */
export function useMarkup(of: Picture, hasPicture: boolean): Markup {
  const { archive, slide_id, upload_id } = of;
  const picture: Picture = { archive, slide_id, upload_id };
  const annotations = useAnnotations(hasPicture ? picture : null);
  const [tool, setTool] = useState<Tool | null>(null);
  const [measured, setMeasured] = useState<Geometry | null>(null);
  const selected = annotations.all.find(({ id }) => id === route.value.shown[ADDRESS]) ?? null;
  const [isOpen, setIsOpen] = useState(false);
  useEffect(() => {
    if (selected) setIsOpen(true);
  }, [selected?.id]);
  useEffect(() => {
    setTool(null);
    setMeasured(null);
  }, [archive, slide_id, upload_id]);
  const choose = (tool: Tool | null): void => {
    setMeasured(null);
    setTool(tool);
  };
  const state = { picture, annotations, selected, tool, measured, isOpen, choose, setIsOpen, setMeasured };
  return {
    tools: (slide) => <Tools slide={slide} {...state} />,
    layers: (slide) => <Layers slide={slide} {...state} />,
  };
}

interface MarkupProps {
  readonly slide: SlideHandle;
  readonly picture: Picture;
  readonly annotations: Annotations;
  readonly selected: AnnotationFeature | null;
  readonly tool: Tool | null;
  readonly measured: Geometry | null;
  readonly isOpen: boolean;
  readonly choose: (tool: Tool | null) => void;
  readonly setIsOpen: (open: boolean) => void;
  readonly setMeasured: (line: Geometry | null) => void;
}

function Tools({ slide, picture, annotations, tool, isOpen, choose, setIsOpen }: MarkupProps) {
  return (
    <div class="viewer-tool-group">
      <IconButton
        icon="edit"
        label={texts.open(annotations.all.length)}
        pressed={isOpen}
        onClick={() => {
          choose(isOpen || annotations.all.length ? null : FIRST_TOOL);
          setIsOpen(!isOpen);
        }}
      />
      {slide.source.umPerPx !== null && (
        <IconButton
          icon="ruler"
          label={texts.ruler}
          pressed={tool === "ruler"}
          onClick={() => choose(tool === "ruler" ? null : "ruler")}
        />
      )}
      <AppearanceTool />
      <FigureTool of={picture} slide={slide} />
    </div>
  );
}

/** The class, colour and sharing of what was drawn last, for what comes next. */
let lastFacts: Facts = { label: "", note: "", colour: USUAL_COLOUR, isShared: false };

/** Where the reader is, and the annotation that is chosen there: one that comes late takes the place of no other. */
function placeNow(): string {
  return JSON.stringify([placeOfReader(), route.peek().shown[ADDRESS]]);
}

function Layers(props: MarkupProps) {
  const { slide, picture, annotations, selected, tool, measured, isOpen, choose, setIsOpen, setMeasured } = props;
  useMode(tool !== null, [slide.source.key], () => choose(null));
  const close = (): void => {
    choose(null);
    setIsOpen(false);
  };
  useMode(isOpen && matchMedia(NARROW).matches, [LOWER_EDGE], close);
  useEffect(() => {
    if (selected) lastFacts = { ...factsOf(selected), note: "" };
  }, [selected]);
  const keep = async (geometry: Geometry): Promise<void> => {
    choose(null);
    setIsOpen(true);
    const before = placeNow();
    const made = await annotations.add(geometry, lastFacts);
    if (made && before === placeNow()) show(ADDRESS, made.id);
  };
  const select = (annotation: AnnotationFeature | null): void => {
    show(ADDRESS, annotation?.id ?? null);
    if (annotation) slide.reveal(boundsOfGeometry(annotation.geometry));
  };
  const reshape = (annotation: AnnotationFeature, geometry: Geometry): void =>
    void annotations.change(annotation, { geometry });
  return (
    <>
      <AppearanceFilter slide={slide} />
      <AnnotationLayer
        slide={slide}
        annotations={annotations.all}
        selected={selected?.id ?? null}
        onSelect={(id) => show(ADDRESS, id)}
        onReshape={reshape}
      />
      {tool && (
        <DrawingLayer
          key={tool}
          slide={slide}
          tool={tool}
          measured={measured}
          onBegin={() => setMeasured(null)}
          onDone={(geometry) => (tool === "ruler" ? setMeasured(geometry) : void keep(geometry))}
          onEnd={() => choose(null)}
        />
      )}
      {measured && (
        <div class="annotations-measured">
          <Button icon="check" onClick={() => void keep(measured)}>
            {texts.keep}
          </Button>
          <Button kind="quiet" onClick={() => setMeasured(null)}>
            {texts.clear}
          </Button>
        </div>
      )}
      {isOpen && (
        <AnnotationPanel
          of={picture}
          annotations={annotations}
          selected={selected}
          tool={tool}
          onTool={choose}
          onSelect={select}
          onClose={close}
        />
      )}
    </>
  );
}
