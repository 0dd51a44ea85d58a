import { searches } from "../api/endpoints";
import type { SeveralSearchRequest, SeveralSearchResponse } from "../api/types";

/** Search all archives. */
export function searchSeveral(request: SeveralSearchRequest, signal: AbortSignal): Promise<SeveralSearchResponse> {
  return searches.several(request, signal);
}
