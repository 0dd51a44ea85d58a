import type { JSX } from "preact";
import { SavedSearches } from "../saved/saved-searches";
import { route } from "../state/navigation";
import { currentSession } from "../state/session";
import { strings } from "../strings";
import { Note } from "../ui/status";
import { OPEN } from "../worklists/store";
import { Worklists } from "../worklists/worklists";
import { ImportSection } from "./import-section";
import { JobsSection } from "./jobs-section";
import { UploadsSection } from "./uploads-section";
import "./work.css";

const words = strings.work;

/** What runs and waits: uploads, jobs, worklists and saved searches. */
export function WorkView(): JSX.Element {
  const session = currentSession();
  if (route.value.shown[OPEN]) {
    return (
      <div class="view-page work">
        <h1>{strings.app.views.work}</h1>
        <Worklists />
      </div>
    );
  }
  return (
    <div class="view-page work">
      <h1>{strings.app.views.work}</h1>
      <UploadsSection />
      {session?.imports ? <ImportSection /> : <WhyNot role={session?.role} write={session?.write} />}
      {session?.imports && <JobsSection />}
      <Worklists />
      <SavedSearches />
    </div>
  );
}

/** Why slides can't be added by whoever looks at this. */
function WhyNot({ role, write }: { role: string | undefined; write: boolean | undefined }): JSX.Element {
  const { mayNot } = words;
  return <Note>{role === "read" ? mayNot.role : write ? mayNot.folder : mayNot.server}</Note>;
}
