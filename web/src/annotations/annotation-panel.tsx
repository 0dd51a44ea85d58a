import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { annotations as api, type Picture } from "../api/endpoints";
import type { AnnotationFeature } from "../api/types";
import { downloadFrom } from "../export/download";
import { toast } from "../state/toasts";
import { strings } from "../strings";
import { Button, IconButton } from "../ui/button";
import { Checkbox, Field } from "../ui/field";
import { FileButton } from "../ui/file-button";
import { ErrorPanel } from "../ui/status";
import { TOOLS, type Tool } from "./draft";
import { measureText } from "./geometry";
import { type Annotations, type Facts, factsOf } from "./store";

const texts = strings.annotations;

export interface AnnotationPanelProps {
  readonly of: Picture;
  readonly annotations: Annotations;
  readonly selected: AnnotationFeature | null;
  readonly tool: Tool | null;
  readonly onTool: (tool: Tool | null) => void;
  /** Choose one, and go there. */
  readonly onSelect: (annotation: AnnotationFeature | null) => void;
  readonly onClose: () => void;
}

/** Tools to draw with, and the list of what was drawn. */
export function AnnotationPanel(props: AnnotationPanelProps): JSX.Element {
  const { of, annotations, selected, tool, onTool } = props;
  const { all, error } = annotations;
  return (
    <section class="annotations-panel" aria-label={texts.panel}>
      <div class="annotations-tools" role="toolbar" aria-label={texts.draw}>
        {TOOLS.map((one) => (
          <IconButton
            key={one}
            icon={one}
            label={texts.tools[one]}
            pressed={tool === one}
            onClick={() => onTool(tool === one ? null : one)}
          />
        ))}
        <IconButton class="annotations-close" icon="close" label={strings.app.close} onClick={props.onClose} />
      </div>
      {error && <ErrorPanel error={error} />}
      {all.length ? (
        <ul class="annotations-list" aria-label={texts.list}>
          {all.map((one) => (
            <li key={one.id}>
              <Item annotation={one} isSelected={one === selected} onSelect={props.onSelect} />
              {one === selected && one.properties.histoseek.is_mine && (
                <AnnotationForm key={one.id} annotation={one} annotations={annotations} onDone={props.onSelect} />
              )}
            </li>
          ))}
        </ul>
      ) : (
        <p class="faint">{texts.none}</p>
      )}
      <div class="annotations-files">
        <Button icon="download" disabled={!all.length} onClick={() => downloadFrom(api.exportUrl(of))}>
          {texts.export}
        </Button>
        <FileButton
          kind="quiet"
          icon="upload"
          label={texts.import}
          accept=".geojson,.json"
          onFiles={([file]) => file && void annotations.importFile(file)}
        />
      </div>
    </section>
  );
}

interface ItemProps {
  readonly annotation: AnnotationFeature;
  readonly isSelected: boolean;
  readonly onSelect: (annotation: AnnotationFeature | null) => void;
}

function Item({ annotation, isSelected, onSelect }: ItemProps): JSX.Element {
  const { colour, note } = factsOf(annotation);
  const { histoseek, measurements } = annotation.properties;
  const owner = !histoseek.is_mine ? texts.by(histoseek.owner) : histoseek.is_shared ? texts.shared : "";
  return (
    <Button
      kind="quiet"
      class="annotations-item"
      pressed={isSelected}
      onClick={() => onSelect(isSelected ? null : annotation)}
    >
      <span class="annotations-swatch" style={{ background: colour }} />
      <span class="annotations-title">{titleOf(annotation)}</span>
      <span class="faint">{[measureText(measurements), owner].filter(Boolean).join(" \u00b7 ")}</span>
      {note && <span class="annotations-note">{note}</span>}
    </Button>
  );
}

export function titleOf(annotation: AnnotationFeature): string {
  const { type } = annotation.geometry;
  const { label } = factsOf(annotation);
  const kind = type.endsWith("Point") ? "point" : type.endsWith("LineString") ? "line" : "area";
  return label || texts.unnamed[kind];
}

interface AnnotationFormProps {
  readonly annotation: AnnotationFeature;
  readonly annotations: Annotations;
  readonly onDone: (annotation: null) => void;
}

function AnnotationForm({ annotation, annotations, onDone }: AnnotationFormProps): JSX.Element {
  // What was typed and is not saved yet: it stays while the shape is changed, or comes anew.
  const [typed, setTyped] = useState<Partial<Facts>>({});
  const facts = { ...factsOf(annotation), ...typed };
  const unsaved = useRef<(() => void) | null>(null);
  const change = (part: Partial<Facts>): void => {
    const next = { ...typed, ...part };
    setTyped(next);
    unsaved.current = () => void annotations.change(annotation, { facts: { ...factsOf(annotation), ...next } });
  };
  // Another annotation or slide is chosen, or the panel is closed: what was typed is saved without being asked.
  useEffect(() => () => unsaved.current?.(), []);
  const save = async (): Promise<void> => {
    unsaved.current = null;
    if (await annotations.change(annotation, { facts })) setTyped((now) => (now === typed ? {} : now));
  };
  const remove = (): void => {
    unsaved.current = null;
    onDone(null);
    void annotations.remove(annotation);
    const undo = (): void => void annotations.add(annotation.geometry, factsOf(annotation));
    toast(texts.removed(titleOf(annotation)), "info", { label: texts.undo, run: undo });
  };
  return (
    <form
      class="annotations-form"
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      <div class="annotations-class">
        <Field label={texts.label}>
          {(id) => (
            <input
              id={id}
              maxLength={100}
              placeholder={texts.labelExample}
              value={facts.label}
              onInput={(event) => change({ label: event.currentTarget.value })}
            />
          )}
        </Field>
        <input
          type="color"
          aria-label={texts.colour}
          title={texts.colour}
          value={facts.colour}
          onInput={(event) => change({ colour: event.currentTarget.value })}
        />
      </div>
      <Field label={texts.note}>
        {(id) => (
          <textarea
            id={id}
            rows={2}
            maxLength={2000}
            title={texts.noteTip}
            value={facts.note}
            onInput={(event) => change({ note: event.currentTarget.value })}
          />
        )}
      </Field>
      <Checkbox label={texts.share} checked={facts.isShared} onChange={(isShared) => change({ isShared })} />
      <div class="annotations-actions">
        <Button kind="primary" type="submit">
          {texts.save}
        </Button>
        <Button kind="quiet" icon="trash" onClick={remove}>
          {texts.remove}
        </Button>
      </div>
    </form>
  );
}
