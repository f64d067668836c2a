import type { ComponentChildren } from 'preact';

interface Props {
  /** Headings of the columns. */
  columns: readonly string[];
  /** A last column without a heading that is seen, of what can be done about a row. */
  hasActions?: boolean;
  isWide?: boolean;
  /** What stands below the rows. */
  rest?: ComponentChildren;
  /** The rows. */
  children: ComponentChildren;
}

/** Rows under headings; on a narrow page it scrolls by itself. */
export function Table({ columns, hasActions = false, isWide = false, rest, children }: Props) {
  return (
    <div class={isWide ? 'table wide' : 'table'}>
      <table>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column} scope="col">
                {column}
              </th>
            ))}
            {hasActions && (
              <th scope="col">
                <span class="hidden">Actions</span>
              </th>
            )}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
      {rest}
    </div>
  );
}
