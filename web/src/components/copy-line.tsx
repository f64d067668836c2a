import { useState } from 'preact/hooks';

const shownMs = 1500;

/** A command to run elsewhere, with a button that copies it. */
export function CopyLine({ label, line }: { label: string; line: string }) {
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(line);
    setCopied(true);
    setTimeout(() => setCopied(false), shownMs);
  };
  return (
    <div class="copy-line">
      <span class="label">{label}</span>
      <code>{line}</code>
      {/* Pages that are neither on loopback nor on HTTPS have no clipboard. */}
      {navigator.clipboard !== undefined && (
        <button type="button" onClick={() => void copy().catch(() => {})}>
          {isCopied ? 'Copied' : 'Copy'}
        </button>
      )}
    </div>
  );
}
