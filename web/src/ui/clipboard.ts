/** Put a text on the clipboard; whether it is there. Pages that came without TLS have no clipboard of their own. */
export async function copyText(text: string): Promise<boolean> {
  try {
    if (navigator.clipboard) {
      await navigator.clipboard.writeText(text);
      return true;
    }
    return copySelected(text);
  } catch {
    return false;
  }
}

function copySelected(text: string): boolean {
  const field = document.createElement("textarea");
  field.value = text;
  document.body.append(field);
  field.select();
  // Deprecated, but all that there is without TLS.
  const isCopied = document.execCommand("copy");
  field.remove();
  return isCopied;
}
