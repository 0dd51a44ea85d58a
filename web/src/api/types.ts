/** The words of the REST API, by name; generated from its OpenAPI description (`npm run api`). */
import type * as api from "./openapi";

export type {
  AnnotationCollection,
  AnnotationContent,
  AnnotationFeature,
  ArchiveInfo,
  ArchiveOutcome,
  ArchiveResult,
  Box,
  Channel,
  Collection,
  CollectionContent,
  CollectionItem,
  CollectionSharing,
  CollectionSlide,
  CounterExample,
  DifferentialColumn,
  DifferentialRequest,
  DifferentialResponse,
  DistinguishingTerm,
  ExplainRequest,
  ExplainResponse,
  Explanation,
  FacetBin,
  FacetField,
  Facets,
  FacetsRequest,
  FacetValue,
  FieldInfo,
  ImageInfo,
  ImportFile,
  ImportListing,
  Job,
  JobRequest,
  Judgement,
  LabelDistribution,
  ListRequest,
  Match,
  NewAnnotations,
  NewsSeen,
  OfferedFile,
  OpenUpload,
  PairContribution,
  Phrase,
  PhraseExample,
  PhraseResult,
  PhrasesRequest,
  PhrasesResponse,
  Problem,
  QueryEcho,
  QuerySlide,
  Region,
  Report,
  ReportText,
  Result,
  SavedSearch,
  SavedSearchContent,
  SearchNews,
  SearchRequest,
  SearchResponse,
  Session,
  SeveralSearchRequest,
  SeveralSearchResponse,
  Slide,
  SlideAttention,
  SlideListing,
  SlideRef,
  StoredJudgement,
  Tally,
  TextRegion,
  Tray,
  TrayCase,
  Upload,
  UploadOpening,
  UploadPart,
  UploadPlan,
  UploadToIndex,
  Vote,
  Worklist,
  WorklistInfo,
  WorklistRow,
} from "./openapi";

/** What a worklist is asked for; what is left out is as usual. */
export type WorklistRequest = Pick<api.WorklistRequest, "name" | "slides"> & Partial<api.WorklistRequest>;

export type WorklistSlide = NonNullable<api.WorklistRequest["slides"]>[number];

/** Some slides of a collection. */
export type CollectionSlidePage = api.PageCollectionSlide;

/** What somebody may do with a collection that is shared. */
export type SharedAccess = api.SharedWith["access"];

/** A 2-d map of an archive's slides. */
export type ArchiveMap = api.Map;

type Bounds = "minimum" | "maximum";

/**
 * Slides that have any of some values in a field, of the metadata or of what reports state, or one within bounds; null
 * among the values: no value.
 */
export type FieldFilter = Required<Omit<api.FieldFilter, Bounds>> & Pick<api.FieldFilter, Bounds>;

/** A bound of a range: a number, or a date in ISO 8601; null for none. */
export type Bound = NonNullable<api.FieldFilter["minimum"]> | null;

/** What the archive has that what is typed may become. */
export type Completion = Omit<api.Completion, "filter"> & { readonly filter: FieldFilter };

/** One way to take a piece of a typed text. */
export type Reading = Omit<api.Reading, "filter"> & { readonly filter: FieldFilter | null };

/** A piece of a typed text with what it is taken for, and what else it could be. */
export type Part = Omit<api.Part, "reading" | "others"> & {
  readonly reading: Reading;
  readonly others: readonly Reading[];
};

/** What a typed text is made of, and the question that follows. */
export type Understanding = Omit<api.Understanding, "parts" | "filters"> & {
  readonly parts: readonly Part[];
  readonly filters: readonly FieldFilter[];
};

/** Slides that were judged: what is asked with them is ranked anew. */
export type Marks = Required<api.Marks>;

/** What can be asked with. */
export type Query = api.SearchRequest["query"];

/** The queries that are images: a slide, regions of one, a picture, a case. */
export type ImageQuery = api.ComposedQuery["image"];

/** The value of a metadata column. */
export type Value = Required<api.FieldFilter>["values"][number];
