import type { ComponentChildren, JSX } from "preact";
import { Icon, type IconName } from "./icons";

type Native = Omit<JSX.IntrinsicElements["button"], "icon" | "label" | "size">;

export interface ButtonProps extends Native {
  readonly kind?: "plain" | "primary" | "quiet" | "danger";
  readonly icon?: IconName;
  /** For a button that stays down: whether it is. */
  readonly pressed?: boolean;
  readonly children?: ComponentChildren;
}

/** A button with a text, and an icon before it where there is one. */
export function Button({ kind = "plain", icon, pressed, children, class: extra, ...native }: ButtonProps): JSX.Element {
  const name = ["button", `button-${kind}`, extra].filter(Boolean).join(" ");
  return (
    <button type="button" {...native} class={name} aria-pressed={pressed}>
      {icon && <Icon name={icon} />}
      {children}
    </button>
  );
}

export interface IconButtonProps extends Omit<ButtonProps, "children"> {
  readonly icon: IconName;
  /** What it does: its name for screen readers and its tip. */
  readonly label: string;
}

/** A button that is only an icon. */
export function IconButton({ label, icon, kind = "quiet", class: extra, ...others }: IconButtonProps): JSX.Element {
  const name = ["icon-button", extra].filter(Boolean).join(" ");
  return <Button {...others} kind={kind} icon={icon} class={name} aria-label={label} title={label} />;
}
