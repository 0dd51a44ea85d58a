import type { JSX } from "preact";
import { useRef } from "preact/hooks";
import { Button, type ButtonProps } from "./button";

export interface FileButtonProps extends Omit<ButtonProps, "onClick" | "children"> {
  readonly label: string;
  /** What kinds of files are offered; all by default. */
  readonly accept?: string;
  /** One file by default. */
  readonly several?: "files" | "folder";
  readonly onFiles: (files: readonly File[]) => void;
}

/** A button that lets files be chosen, also the same ones again. */
export function FileButton({ label, accept, several, onFiles, ...button }: FileButtonProps): JSX.Element {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <input
        ref={input}
        type="file"
        class="visually-hidden"
        accept={accept}
        multiple={several !== undefined}
        {...(several === "folder" ? { webkitdirectory: true } : {})}
        tabIndex={-1}
        aria-label={label}
        onChange={(event) => {
          const files = [...(event.currentTarget.files ?? [])];
          if (files.length) onFiles(files);
          event.currentTarget.value = "";
        }}
      />
      <Button {...button} onClick={() => input.current?.click()}>
        {label}
      </Button>
    </>
  );
}
