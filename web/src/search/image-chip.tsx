import type { JSX } from "preact";
import { slides, uploads } from "../api/endpoints";
import type { ImageQuery, SlideRef } from "../api/types";
import { archive, archiveName } from "../state/archives";
import { useResource } from "../state/resource";
import { strings } from "../strings";
import { IconButton } from "../ui/button";
import { Picture } from "../ui/picture";
import { uploadList } from "../uploads/upload-list";
import { slidesOf } from "./draft";
import { EncodingProgress } from "./encoding-progress";

const words = strings.search;

/** The image that is asked with, as a small picture with its name. */
export function ImageChip({ image, onRemove }: { image: ImageQuery; onRemove: () => void }): JSX.Element {
  const refs = slidesOf(image);
  const uploadId = refs.find(({ upload_id }) => upload_id)?.upload_id;
  return (
    <li class="search-chip search-chip-image">
      {refs.slice(0, 3).map((ref) => (
        <Thumbnail key={ref.slide_id ?? ref.upload_id} slide={ref} />
      ))}
      <span class="search-chip-name">
        {image.kind === "case" && image.case_id
          ? image.case_id
          : refs.map((ref) => <SlideName key={ref.slide_id ?? ref.upload_id} slide={ref} />)}
      </span>
      <span class="faint">{kindOf(image)}</span>
      {uploadId && <EncodingProgress uploadId={uploadId} />}
      <IconButton icon="close" label={words.removeImage} onClick={onRemove} />
    </li>
  );
}

function Thumbnail({ slide }: { slide: SlideRef }): JSX.Element | null {
  const { slide_id, upload_id } = slide;
  if (slide_id && !archive.value?.has_images) return null;
  const url = slide_id
    ? slides.thumbnailUrl(archiveName.value, slide_id, 128)
    : uploads.thumbnailUrl(upload_id ?? "", 128);
  return <Picture class="search-thumbnail" src={url} width={24} height={24} />;
}

/** An archived slide is called by its title, an upload by its file. */
function SlideName({ slide: { slide_id, upload_id } }: { slide: SlideRef }): JSX.Element {
  // Before the archives are known none has a name.
  const key = slide_id && archiveName.value ? { archive: archiveName.value, slideId: slide_id } : null;
  const { value } = useResource(key, ({ archive: name, slideId }, signal) => slides.get(name, slideId, signal));
  if (slide_id) return <span>{value?.title ?? slide_id}</span>;
  const upload = (uploadList.state.value.value ?? []).find((one) => one.upload_id === upload_id);
  return <span>{upload?.name ?? words.uploadedSlide}</span>;
}

function kindOf(image: ImageQuery): string {
  switch (image.kind) {
    case "region":
      return words.kinds.region(image.regions.length);
    case "picture":
      return words.kinds.picture(image.spacing_um_per_px);
    case "case":
      return words.kinds.case;
    case "slide":
      return image.slide.slide_id ? words.kinds.archived : words.kinds.uploaded;
  }
}
