/** Bars for shares. */
import type { JSX } from "preact";
import { strings } from "../strings";

/** How far something is, 0 to 1; null: under way, nobody knows how far. */
export function ProgressBar({ share, label }: { share: number | null; label: string }): JSX.Element {
  return share === null ? (
    <progress class="progress" aria-label={label} />
  ) : (
    <progress class="progress" aria-label={label} value={share} max={1} />
  );
}

export interface ShareBarProps {
  /** 0 to 1. */
  readonly share: number;
  /** What the bar says, in words. */
  readonly label: string;
  /** What is written beside it; nothing by default. */
  readonly children?: preact.ComponentChildren;
}

/** A share of a whole, such as a label's of a vote. */
export function ShareBar({ share, label, children }: ShareBarProps): JSX.Element {
  const width = `${Math.min(1, Math.max(0, share)) * 100}%`;
  return (
    <span class="share" role="img" aria-label={label}>
      <span class="share-track" aria-hidden="true">
        <span class="share-fill" style={{ width }} />
      </span>
      {children !== undefined && (
        <span class="share-text" aria-hidden="true">
          {children}
        </span>
      )}
    </span>
  );
}

export interface RateBarProps extends ShareBarProps {
  /** What is usual, 0 to 1: marked on the bar. */
  readonly base: number;
}

/** A share beside what is usual. */
export function RateBar({ share, base, label, children }: RateBarProps): JSX.Element {
  const [width, left] = [share, base].map((part) => `${Math.min(1, Math.max(0, part)) * 100}%`);
  return (
    <span class="share" role="img" aria-label={label}>
      <span class="share-track share-rated" aria-hidden="true">
        <span class="share-fill" style={{ width }} />
        <span class="share-base" style={{ left }} />
      </span>
      <span class="share-text" aria-hidden="true">
        {children}
      </span>
    </span>
  );
}

/** How likely a result shares the query's label; calibratedFor: the column of that label. */
export function ProbabilityBar({ value, calibratedFor }: { value: number; calibratedFor: string | null }): JSX.Element {
  return (
    <ShareBar share={value} label={strings.probability.text(value, calibratedFor)}>
      {strings.probability.short(value)}
    </ShareBar>
  );
}
