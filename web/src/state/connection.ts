/** What is done once the server answers again. */
import { onResponse } from "../api/client";
import { strings } from "../strings";
import { reloadUnanswered } from "./resource";
import { dismissText } from "./toasts";

/** Ask again for what had no answer, as soon as anything has one or the browser is online again; to be called once. */
export function followConnection(): void {
  onResponse(() => {
    dismissText(strings.errors.noAnswer);
    reloadUnanswered();
  });
  addEventListener("online", reloadUnanswered);
}
