import { useEffect, useRef } from 'preact/hooks';

interface FilterProps {
  value: string;
  onChange: (value: string) => void;
  found: number;
  total: number;
}

export function Filter({ value, onChange, found, total }: FilterProps) {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const focus = (event: KeyboardEvent) => {
      const isTyping = event.target instanceof HTMLInputElement;
      if (event.key !== '/' || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      input.current?.focus();
    };
    addEventListener('keydown', focus);
    return () => removeEventListener('keydown', focus);
  }, []);
  return (
    <search class="filter">
      <output>{value === '' ? '' : `${found} of ${total}`}</output>
      <input
        ref={input}
        type="search"
        placeholder="Filter by sensor, location or metric"
        aria-label="Filter sensors"
        value={value}
        onInput={(event) => onChange(event.currentTarget.value)}
      />
    </search>
  );
}
