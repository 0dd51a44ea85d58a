import type { JSX } from "preact";
import { useRef } from "preact/hooks";
import { Button, type ButtonProps } from "./button";

export interface FileButtonProps extends Omit<ButtonProps, "onClick" | "children"> {
  readonly label: string;
  /** What kinds of files are offered; all by default. */
  readonly accept?: string;
  readonly onFile: (file: File) => void;
}

/** A button that lets a file be chosen, also the same one again. */
export function FileButton({ label, accept, onFile, ...button }: FileButtonProps): JSX.Element {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <input
        ref={input}
        type="file"
        class="visually-hidden"
        accept={accept}
        tabIndex={-1}
        aria-label={label}
        onChange={(event) => {
          const file = event.currentTarget.files?.[0];
          if (file) onFile(file);
          event.currentTarget.value = "";
        }}
      />
      <Button {...button} onClick={() => input.current?.click()}>
        {label}
      </Button>
    </>
  );
}
