import type { JSX } from "preact";
import { slides, uploads } from "../api/endpoints";
import type { ImageQuery, SlideRef } from "../api/types";
import { archive, archiveName } from "../state/archives";
import { strings } from "../strings";
import { IconButton } from "../ui/button";
import { Picture } from "../ui/picture";
import { slidesOf } from "./draft";
import { EncodingProgress } from "./encoding-progress";
import { uploadList } from "./uploads";

const words = strings.search;

/** The image that is asked with, as a small picture with its name. */
export function SelectedImage({ image, onClear }: { image: ImageQuery; onClear: () => void }): JSX.Element {
  const refs = slidesOf(image);
  const uploadId = refs.find(({ upload_id }) => upload_id)?.upload_id;
  return (
    <div class="search-chosen">
      {refs.slice(0, 3).map((ref) => (
        <Thumbnail key={ref.slide_id ?? ref.upload_id} slide={ref} />
      ))}
      <div class="search-chosen-text">
        <strong>{nameOf(image)}</strong>
        <span class="faint">{kindOf(image)}</span>
        {uploadId && <EncodingProgress uploadId={uploadId} />}
      </div>
      <IconButton icon="close" label={words.clearImage} onClick={onClear} />
    </div>
  );
}

function Thumbnail({ slide }: { slide: SlideRef }): JSX.Element | null {
  const { slide_id, upload_id } = slide;
  if (slide_id && !archive.value?.has_images) return null;
  const url = slide_id
    ? slides.thumbnailUrl(archiveName.value, slide_id, 128)
    : uploads.thumbnailUrl(upload_id ?? "", 128);
  return <Picture class="search-thumbnail" src={url} width={32} height={32} />;
}

function nameOf(image: ImageQuery): string {
  if (image.kind === "case" && image.case_id) return image.case_id;
  return slidesOf(image).map(slideName).join(", ");
}

function slideName({ slide_id, upload_id }: SlideRef): string {
  const uploads = uploadList.state.value.value ?? [];
  return slide_id ?? uploads.find((upload) => upload.upload_id === upload_id)?.name ?? words.uploadedSlide;
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
