import { strings } from "../strings";
import type { Problem } from "./types";

/** What the server (or the way to it) refused, as RFC 9457 has it; status 0: there was no answer. */
export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    readonly requestId: string | null,
  ) {
    super(detail || title);
  }
}

/** Whether a request was given up by the page itself, which is no error to show. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

/** Any thrown thing as something that can be shown. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const detail = error instanceof TypeError ? strings.errors.noAnswer : String(error);
  return new ApiError(0, strings.errors.noAnswerTitle, detail, null);
}

/** The error that an answer of status >= 400 tells, whether its body is a problem or not. */
export function problemOf(status: number, body: string, requestId: string | null): ApiError {
  const problem = parsed(body);
  const title = problem?.title ?? strings.errors.status(status);
  return new ApiError(status, title, problem?.detail ?? "", problem?.request_id ?? requestId);
}

function parsed(body: string): Partial<Problem> | null {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === "object" && value !== null ? (value as Partial<Problem>) : null;
  } catch {
    return null;
  }
}
