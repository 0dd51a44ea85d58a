/** All English texts of the page, a module a room. A number in a text is a function's argument. */
import { annotations } from "./annotations";
import { app, errors, help, probability, session } from "./app";
import { board } from "./board";
import { browse } from "./browse";
import { cases } from "./cases";
import { collections } from "./collections";
import { compare } from "./compare";
import { exporting } from "./export";
import { facets } from "./facets";
import { overview } from "./overview";
import { phrases } from "./phrases";
import { history, queries } from "./queries";
import { results } from "./results";
import { saved } from "./saved";
import { search } from "./search";
import { several } from "./several";
import { viewer } from "./viewer";
import { uploads, work } from "./work";
import { worklists } from "./worklists";

export const strings = {
  annotations,
  app,
  session,
  errors,
  queries,
  probability,
  history,
  help,
  search,
  results,
  board,
  facets,
  browse,
  cases,
  collections,
  export: exporting,
  viewer,
  compare,
  phrases,
  overview,
  saved,
  uploads,
  work,
  several,
  worklists,
} as const;
