/** Requests to the REST API of the server that sent the page. The session is a cookie that scripts can't read. */
import { asApiError, isAbort, problemOf } from "./error";

const API = new URL("api/v1/", document.baseURI);
const OWN_HEADERS = { "X-Histoseek": "page" };

type Parameters = Readonly<Record<string, string | number | boolean | null | undefined>>;

interface RequestOptions {
  readonly body?: unknown;
  readonly parameters?: Parameters;
  readonly signal?: AbortSignal | undefined;
  /** Whether the page may be closed before the answer comes; the request goes on if it is small enough for browsers. */
  readonly leaving?: boolean;
}

// Browsers refuse larger ones (Fetch standard, keepalive).
const MOST_KEPT_ALIVE_BYTES = 60_000;

let whenUnauthorised: () => void = () => undefined;

/** Say what is to happen when the server no longer knows the session. */
export function onUnauthorised(callback: () => void): void {
  whenUnauthorised = callback;
}

let whenAnswered: () => void = () => undefined;

/** Say what is to happen whenever the server has done what was asked. */
export function onResponse(callback: () => void): void {
  whenAnswered = callback;
}

/** A path whose values are quoted: path`archives/${name}/slides/${id}`. */
export function path(texts: TemplateStringsArray, ...values: readonly (string | number)[]): string {
  return texts.reduce((whole, text, at) => whole + encodeURIComponent(values[at - 1] ?? "") + text);
}

/** The full address of a path of the API, for pictures and tiles; parameters that are null are left out. */
export function urlOf(apiPath: string, parameters: Parameters = {}): string {
  const url = new URL(apiPath, API);
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined) url.searchParams.set(name, String(value));
  }
  return url.href;
}

/** Send a request and read its JSON; throws ApiError, and AbortError once `signal` gives it up. */
export async function request<Answer>(method: string, apiPath: string, options: RequestOptions = {}): Promise<Answer> {
  const answer = await sent(method, urlOf(apiPath, options.parameters), options);
  const text = await answer.text();
  if (!answer.ok) throw refused(answer.status, text, answer.headers.get("X-Request-Id"));
  const value = (text ? JSON.parse(text) : undefined) as Answer;
  whenAnswered();
  return value;
}

async function sent(method: string, url: string, { body, signal, leaving }: RequestOptions): Promise<Response> {
  const headers = body === undefined ? OWN_HEADERS : { ...OWN_HEADERS, "Content-Type": "application/json" };
  const content = body === undefined ? null : JSON.stringify(body);
  const keepalive = leaving === true && new Blob([content ?? ""]).size <= MOST_KEPT_ALIVE_BYTES;
  const credentials = "same-origin";
  try {
    return await fetch(url, { method, headers, body: content, signal: signal ?? null, credentials, keepalive });
  } catch (error) {
    throw isAbort(error) ? error : asApiError(error);
  }
}

function refused(status: number, body: string, requestId: string | null): Error {
  if (status === 401) whenUnauthorised();
  return problemOf(status, body, requestId);
}

export interface UploadOptions {
  readonly parameters?: Parameters;
  readonly signal?: AbortSignal;
  /** POST by default. */
  readonly method?: "POST" | "PUT";
  /** Told the share of the file that is sent, 0 to 1. */
  readonly onProgress?: (share: number) => void;
}

/** Send a file as it is and read the JSON answer; fetch can't tell progress, so this is an XMLHttpRequest. */
export function upload<Answer>(apiPath: string, file: Blob, options: UploadOptions = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sending = new XMLHttpRequest();
    sending.open(options.method ?? "POST", urlOf(apiPath, options.parameters));
    sending.setRequestHeader("X-Histoseek", "page");
    sending.setRequestHeader("Content-Type", "application/octet-stream");
    sending.upload.onprogress = (event) => options.onProgress?.(event.total ? event.loaded / event.total : 0);
    sending.onerror = () => reject(asApiError(new TypeError()));
    sending.onabort = () => reject(new DOMException("given up", "AbortError"));
    sending.onload = () => {
      const { status, responseText } = sending;
      if (status < 400) resolve(JSON.parse(responseText) as Answer);
      else reject(refused(status, responseText, sending.getResponseHeader("X-Request-Id")));
    };
    options.signal?.addEventListener("abort", () => sending.abort(), { once: true });
    sending.send(file);
  });
}
