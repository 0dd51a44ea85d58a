import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { uploads } from "../api/endpoints";
import type { Upload } from "../api/types";
import { strings } from "../strings";
import { Button, IconButton } from "../ui/button";
import { Picture } from "../ui/picture";
import { expiryText } from "../uploads/files";
import { uploadList } from "../uploads/upload-list";
import { EncodingProgress } from "./encoding-progress";
import { Popover } from "./popover";
import { deleteUpload, deleteUploads, searchWithUploadAgain } from "./upload-queries";

const words = strings.search;

/** The slides that were uploaded, to be asked with again or deleted; nothing where there are none. */
export function UploadMenu(): JSX.Element | null {
  const uploads = uploadList.state.value.value ?? [];
  if (!uploads.length) return null;
  return (
    <Popover label={words.uploaded(uploads.length)} title={words.uploadedTitle}>
      <ul class="search-uploads">
        {uploads.map((upload) => (
          <UploadEntry key={upload.upload_id} upload={upload} />
        ))}
      </ul>
      {uploads.length > 1 && <DeleteAll uploads={uploads} />}
    </Popover>
  );
}

/** Asks once more: what is deleted has to be uploaded again. */
function DeleteAll({ uploads }: { uploads: readonly Upload[] }): JSX.Element {
  const confirming = useSignal(false);
  const press = (): void => {
    if (confirming.value) void deleteUploads(uploads);
    confirming.value = !confirming.value;
  };
  return (
    <Button kind="danger" icon="trash" onClick={press}>
      {confirming.value ? words.deleteAllNow(uploads.length) : words.deleteAll}
    </Button>
  );
}

function UploadEntry({ upload }: { upload: Upload }): JSX.Element {
  return (
    <li>
      <Picture class="search-thumbnail" src={uploads.thumbnailUrl(upload.upload_id, 128)} width={32} height={32} />
      <div class="search-file-text">
        <strong>{upload.name}</strong>
        <span class="faint">{`${strings.uploads.size(upload.bytes)}, ${expiryText(upload)}`}</span>
        <EncodingProgress uploadId={upload.upload_id} />
      </div>
      <Button data-closes onClick={() => void searchWithUploadAgain(upload)}>
        {words.useUpload}
      </Button>
      <IconButton icon="trash" label={words.deleteUpload(upload.name)} onClick={() => void deleteUpload(upload)} />
    </li>
  );
}
