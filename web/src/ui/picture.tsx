import type { ComponentChildren, JSX } from "preact";
import { useState } from "preact/hooks";

export interface PictureProps {
  readonly src: string;
  readonly width: number;
  readonly height: number;
  readonly class?: string;
  /** What is shown where the picture can't be loaded; nothing by default. */
  readonly children?: ComponentChildren;
}

/** A picture that says nothing more than the text beside it; loaded once it is near, its room is kept free until then. */
export function Picture({ src, width, height, class: name, children }: PictureProps): JSX.Element {
  const [failed, setFailed] = useState<string | null>(null);
  if (failed === src) return <>{children}</>;
  return (
    <img
      class={name}
      src={src}
      width={width}
      height={height}
      alt=""
      loading="lazy"
      // Scripts and the tiles of a slide that is opened meanwhile go before.
      fetchpriority="low"
      onError={() => setFailed(src)}
    />
  );
}
