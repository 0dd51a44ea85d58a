/** What is known of files and uploads by themselves. */
import type { ImageQuery, Upload } from "../api/types";
import { strings } from "../strings";

const PICTURE = /\.(png|jpe?g|bmp|webp)$/i;

/** Whether a file is a plain picture by its name: such files do not say how many um a pixel is. */
export function isPicture(name: string): boolean {
  return PICTURE.test(name);
}

/** The query that an uploaded file is asked with. */
export function queryOfUpload(upload: Upload): ImageQuery {
  const spacing = upload.image.spacing_um_per_px;
  if (isPicture(upload.name) && spacing) {
    return { kind: "picture", upload_id: upload.upload_id, spacing_um_per_px: spacing };
  }
  return { kind: "slide", slide: { upload_id: upload.upload_id } };
}

const FINEST_UM_PER_PX = 0.01;
const COARSEST_UM_PER_PX = 100;

/** A spacing in um/px as it was typed, with a comma or a point; null when it is none that the server takes. */
export function spacingOf(typed: string): number | null {
  const written = typed.trim().replace(",", ".");
  const spacing = /^\d*\.?\d+$/.test(written) ? Number(written) : Number.NaN;
  return spacing > FINEST_UM_PER_PX && spacing <= COARSEST_UM_PER_PX ? spacing : null;
}

/** When an upload is deleted, in words. */
export function expiryText({ expires }: Pick<Upload, "expires">): string {
  const time = new Date(expires).toLocaleString([], { weekday: "short", hour: "2-digit", minute: "2-digit" });
  return strings.uploads.expires(time);
}
