import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { isDark } from "../state/theme";
import { strings } from "../strings";
import { drawMark } from "./draw";
import type { Group } from "./groups";

const texts = strings.overview;

export interface LegendProps {
  readonly groups: readonly Group[];
  readonly total: number;
  readonly chosen: ReadonlySet<number>;
  readonly onChange: (group: Group, isChosen: boolean) => void;
}

/** What marks stand for, with counts; ticking a label chooses its slides. */
export function Legend({ groups, total, chosen, onChange }: LegendProps): JSX.Element {
  return (
    <table class="overview-legend">
      <caption class="visually-hidden">{texts.counts}</caption>
      <thead>
        <tr>
          <th scope="col">{texts.label}</th>
          <th scope="col" class="number">
            {texts.slides}
          </th>
          <th scope="col" class="number">
            {texts.share}
          </th>
        </tr>
      </thead>
      <tbody>
        {groups.map((group) => (
          <LegendRow
            key={groupName(group)}
            group={group}
            total={total}
            count={group.places.filter((place) => chosen.has(place)).length}
            onChange={(isChosen) => onChange(group, isChosen)}
          />
        ))}
      </tbody>
    </table>
  );
}

export function groupName({ label, rest }: Group): string {
  if (rest) return texts.rest(rest);
  return label ?? texts.unknown;
}

interface LegendRowProps {
  readonly group: Group;
  readonly total: number;
  /** How many of the group are chosen. */
  readonly count: number;
  readonly onChange: (isChosen: boolean) => void;
}

function LegendRow({ group, total, count, onChange }: LegendRowProps): JSX.Element {
  const { places } = group;
  const box = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (box.current) box.current.indeterminate = count > 0 && count < places.length;
  }, [count, places]);
  return (
    <tr>
      <td>
        <label class="overview-label">
          <input
            ref={box}
            type="checkbox"
            checked={count === places.length}
            onChange={(event) => onChange(event.currentTarget.checked)}
          />
          <GroupMark group={group} />
          <span>{groupName(group)}</span>
        </label>
      </td>
      <td class="number">{places.length.toLocaleString("en")}</td>
      <td class="number">{texts.percent(places.length / total)}</td>
    </tr>
  );
}

function GroupMark({ group }: { group: Group }): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  const dark = isDark.value;
  useEffect(() => {
    if (canvas.current) drawMark(canvas.current, group, dark);
  }, [group, dark]);
  return <canvas ref={canvas} class="overview-mark" />;
}
