/** Ids of archived slides that contain what is typed. */
import { path, request } from "../api/client";
import type { Page, Slide } from "../api/types";
import { idsLike } from "./conditions";

const MOST = 12;

/** The first slides of the archive whose id contains what was typed. */
export async function suggestSlides(archive: string, typed: string, signal: AbortSignal): Promise<readonly Slide[]> {
  const parameters = { where: idsLike(typed), limit: MOST };
  const page = await request<Page<Slide>>("GET", path`archives/${archive}/slides`, { parameters, signal });
  return page.items;
}
