/** One function an endpoint. All take an optional AbortSignal last and throw ApiError. */
import { path, request, type UploadOptions, upload, urlOf } from "./client";
import type {
  AnnotationCollection,
  AnnotationContent,
  AnnotationFeature,
  ArchiveInfo,
  ArchiveMap,
  Collection,
  CollectionContent,
  CollectionSharing,
  CollectionSlidePage,
  Completion,
  DifferentialRequest,
  DifferentialResponse,
  ExplainRequest,
  ExplainResponse,
  Facets,
  FacetsRequest,
  ImageInfo,
  ImportListing,
  Job,
  JobRequest,
  Judgement,
  ListRequest,
  NewAnnotations,
  NewsSeen,
  OfferedFile,
  OpenUpload,
  PhrasesRequest,
  PhrasesResponse,
  Region,
  Report,
  ReportText,
  SavedSearch,
  SavedSearchContent,
  SearchNews,
  SearchRequest,
  SearchResponse,
  Session,
  SeveralSearchRequest,
  SeveralSearchResponse,
  Slide,
  SlideListing,
  StoredJudgement,
  Tray,
  Understanding,
  Upload,
  UploadOpening,
  UploadPart,
  UploadPlan,
  Worklist,
  WorklistInfo,
  WorklistRequest,
} from "./types";

type Signal = AbortSignal | undefined;

export const sessions = {
  current: (signal?: Signal) => request<Session>("GET", "session", { signal }),
  start: (token: string) => request<Session>("POST", "session", { body: { token } }),
  end: () => request<void>("DELETE", "session"),
};

export const archives = {
  list: (signal?: Signal) => request<ArchiveInfo[]>("GET", "archives", { signal }),
  facets: (archive: string, body: FacetsRequest, signal?: Signal) =>
    request<Facets>("POST", path`archives/${archive}/facets`, { body, signal }),
  map: (archive: string, label: string | null, signal?: Signal) =>
    request<ArchiveMap>("GET", path`archives/${archive}/map`, { parameters: { label }, signal }),
};

export const slides = {
  list: (archive: string, body: ListRequest, signal?: Signal) =>
    request<SlideListing>("POST", path`archives/${archive}/slides/list`, { body, signal }),
  get: (archive: string, slideId: string, signal?: Signal) =>
    request<Slide>("GET", path`archives/${archive}/slides/${slideId}`, { signal }),
  report: (archive: string, slideId: string, signal?: Signal) =>
    request<Report>("GET", path`archives/${archive}/slides/${slideId}/report`, { signal }),
  image: (archive: string, slideId: string, signal?: Signal) =>
    request<ImageInfo>("GET", path`archives/${archive}/slides/${slideId}/image`, { signal }),
  thumbnailUrl: (archive: string, slideId: string, px = 256) =>
    urlOf(path`archives/${archive}/slides/${slideId}/thumbnail`, { px }),
  /** A picture of a region in level-0 px; px: of its longer edge. */
  regionUrl: (archive: string, slideId: string, { x, y, width, height }: Region, px = 256) =>
    urlOf(path`archives/${archive}/slides/${slideId}/region`, { x, y, width, height, px }),
  tileUrl: (archive: string, slideId: string, level: number, column: number, row: number) =>
    urlOf(path`archives/${archive}/slides/${slideId}/image_files/${level}/${column}_${row}.jpg`),
};

export const trays = {
  case: (archive: string, caseId: string, signal?: Signal) =>
    request<Tray>("GET", path`archives/${archive}/cases/${caseId}`, { signal }),
  patient: (archive: string, patientId: string, signal?: Signal) =>
    request<Tray>("GET", path`archives/${archive}/patients/${patientId}`, { signal }),
};

export const uploads = {
  list: (signal?: Signal) => request<Upload[]>("GET", "uploads", { signal }),
  get: (uploadId: string, signal?: Signal) => request<Upload>("GET", path`uploads/${uploadId}`, { signal }),
  /** Which files make which slides, and which reports go with them. */
  plan: (files: readonly OfferedFile[], signal?: Signal) =>
    request<UploadPlan>("POST", "uploads/plan", { body: { files }, signal }),
  /** Those that are half-sent, or only wait to be completed. */
  unfinished: (signal?: Signal) => request<OpenUpload[]>("GET", "uploads/open", { signal }),
  /** Begin to send the files of one slide; of the same files that are half-sent, go on. */
  open: (body: UploadOpening, signal?: Signal) => request<OpenUpload>("POST", "uploads/open", { body, signal }),
  /** How much of each file has arrived. */
  opened: (uploadId: string, signal?: Signal) =>
    request<OpenUpload>("GET", path`uploads/${uploadId}/files`, { signal }),
  sendPart: (uploadId: string, number: number, offset: number, content: Blob, options: UploadOptions = {}) =>
    upload<UploadPart>(path`uploads/${uploadId}/files/${number}`, content, {
      ...options,
      method: "PUT",
      parameters: { offset },
    }),
  complete: (uploadId: string, signal?: Signal) =>
    request<Upload>("POST", path`uploads/${uploadId}/complete`, { signal }),
  /** Encode an upload for an archive, so that a search with it need not. */
  encode: (uploadId: string, archive: string) =>
    request<Job>("POST", path`uploads/${uploadId}/encode`, { body: { archive } }),
  remove: (uploadId: string) => request<void>("DELETE", path`uploads/${uploadId}`),
  thumbnailUrl: (uploadId: string, px = 256) => urlOf(path`uploads/${uploadId}/thumbnail`, { px }),
  regionUrl: (uploadId: string, region: Region, px: number) =>
    urlOf(path`uploads/${uploadId}/region`, { ...region, px }),
  tileUrl: (uploadId: string, level: number, column: number, row: number) =>
    urlOf(path`uploads/${uploadId}/image_files/${level}/${column}_${row}.jpg`),
};

export const typing = {
  understand: (archive: string, text: string, signal?: Signal) =>
    request<Understanding>("POST", path`archives/${archive}/understand`, { body: { text }, signal }),
  complete: (archive: string, text: string, signal?: Signal) =>
    request<{ readonly items: readonly Completion[] }>("POST", path`archives/${archive}/completions`, {
      body: { text, most: 5 },
      signal,
    }),
};

/** A slide of an archive, or an upload. */
export interface Picture {
  readonly archive: string;
  readonly slide_id: string | null;
  readonly upload_id: string | null;
}

function picturePath({ archive, slide_id, upload_id }: Picture): string {
  return upload_id === null ? path`archives/${archive}/slides/${slide_id ?? ""}` : path`uploads/${upload_id}`;
}

export const annotations = {
  list: (of: Picture, signal?: Signal) =>
    request<AnnotationCollection>("GET", `${picturePath(of)}/annotations`, { signal }),
  add: (of: Picture, body: NewAnnotations) =>
    request<AnnotationCollection>("POST", `${picturePath(of)}/annotations`, { body }),
  change: (of: Picture, id: string, body: AnnotationContent) =>
    request<AnnotationFeature>("PUT", `${picturePath(of)}/annotations/${id}`, { body }),
  remove: (of: Picture, id: string) => request<void>("DELETE", `${picturePath(of)}/annotations/${id}`),
  exportUrl: (of: Picture) => urlOf(`${picturePath(of)}/annotations/export`),
};

export const figures = {
  url: (of: Picture, options: Readonly<Record<string, string | number | boolean | null>>) =>
    urlOf(`${picturePath(of)}/figure`, options),
};

export const texts = {
  /** The text of a PDF or text file without identifiers. */
  read: (file: File, options: UploadOptions = {}) =>
    upload<ReportText>("texts", file, { ...options, parameters: { filename: file.name } }),
};

export const searches = {
  search: (archive: string, body: SearchRequest, signal?: Signal) =>
    request<SearchResponse>("POST", path`archives/${archive}/search`, { body, signal }),
  several: (body: SeveralSearchRequest, signal?: Signal) =>
    request<SeveralSearchResponse>("POST", "search", { body, signal }),
  phrases: (archive: string, body: PhrasesRequest, signal?: Signal) =>
    request<PhrasesResponse>("POST", path`archives/${archive}/phrases`, { body, signal }),
  differential: (archive: string, body: DifferentialRequest, signal?: Signal) =>
    request<DifferentialResponse>("POST", path`archives/${archive}/differential`, { body, signal }),
  explain: (archive: string, body: ExplainRequest, signal?: Signal) =>
    request<ExplainResponse>("POST", path`archives/${archive}/explain`, { body, signal }),
};

export const feedback = {
  judge: (archive: string, body: Judgement) =>
    request<StoredJudgement | null>("POST", path`archives/${archive}/feedback`, { body }),
};

export const jobs = {
  list: (signal?: Signal) => request<Job[]>("GET", "jobs", { signal }),
  /** Add uploads or files of the import folder to an archive. */
  index: (archive: string, body: JobRequest) => request<Job>("POST", path`archives/${archive}/jobs`, { body }),
  cancel: (jobId: string) => request<Job>("DELETE", path`jobs/${jobId}`),
  /** Index again what of the import folder a job refused. */
  retry: (jobId: string) => request<Job>("POST", path`jobs/${jobId}/retry`),
  importFolder: (archive: string, after: string | null, signal?: Signal) =>
    request<ImportListing>("GET", path`archives/${archive}/import`, { parameters: { after }, signal }),
  /** For an EventSource: server-sent events of the job's progress. */
  eventsUrl: (jobId: string) => urlOf(path`jobs/${jobId}/events`),
};

export const collections = {
  list: (signal?: Signal) => request<Collection[]>("GET", "collections", { signal }),
  create: (body: CollectionContent) => request<Collection>("POST", "collections", { body }),
  /** leaving: the page may be closed before the answer comes. */
  change: (id: string, body: CollectionContent, leaving = false) =>
    request<Collection>("PUT", path`collections/${id}`, { body, leaving }),
  get: (id: string, signal?: Signal) => request<Collection>("GET", path`collections/${id}`, { signal }),
  slides: (id: string, after: string | null) =>
    request<CollectionSlidePage>("GET", path`collections/${id}/slides`, { parameters: { after, limit: 1000 } }),
  share: (id: string, body: CollectionSharing) => request<Collection>("PUT", path`collections/${id}/sharing`, { body }),
  leave: (id: string) => request<void>("DELETE", path`collections/${id}/membership`),
  remove: (id: string) => request<void>("DELETE", path`collections/${id}`),
  exportUrl: (id: string, format: "csv" | "json") => urlOf(path`collections/${id}/export`, { format }),
};

export const savedSearches = {
  list: (signal?: Signal) => request<SavedSearch[]>("GET", "saved-searches", { signal }),
  save: (body: SavedSearchContent) => request<SavedSearch>("POST", "saved-searches", { body }),
  rename: (id: string, name: string) => request<SavedSearch>("PATCH", path`saved-searches/${id}`, { body: { name } }),
  remove: (id: string) => request<void>("DELETE", path`saved-searches/${id}`),
  news: (id: string, signal?: Signal) => request<SearchNews>("GET", path`saved-searches/${id}/news`, { signal }),
  seen: (id: string, body: NewsSeen) => request<SavedSearch>("POST", path`saved-searches/${id}/seen`, { body }),
};

export const worklists = {
  list: (signal?: Signal) => request<WorklistInfo[]>("GET", "worklists", { signal }),
  start: (archive: string, body: WorklistRequest) =>
    request<WorklistInfo>("POST", path`archives/${archive}/worklists`, { body }),
  get: (id: string, signal?: Signal) => request<Worklist>("GET", path`worklists/${id}`, { signal }),
  remove: (id: string) => request<void>("DELETE", path`worklists/${id}`),
  exportUrl: (id: string, format: "csv" | "json") => urlOf(path`worklists/${id}/export`, { format }),
};
