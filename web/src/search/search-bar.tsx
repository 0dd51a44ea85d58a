import type { JSX } from "preact";
import { ask } from "../state/navigation";

export function SearchBar(): JSX.Element {
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const text = new FormData(event.currentTarget as HTMLFormElement).get("text");
    if (typeof text === "string" && text.trim()) ask({ kind: "text", text });
  };
  return (
    <form onSubmit={submit}>
      <input class="input" name="text" aria-label="Search" data-search-field />
    </form>
  );
}
