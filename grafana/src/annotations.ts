import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import { storeRef } from './targets.ts';

interface AnnotationOptions {
  name: string;
  color: string;
  query: string;
  /** The columns whose texts are shown. */
  text: string;
  tags: string;
}

/** Marks at the times of a query's points; the data source keeps the columns in the query itself. */
export function marks({ name, color, query, text, tags }: AnnotationOptions) {
  const target = {
    refId: 'Anno',
    datasource: storeRef,
    query,
    queryType: 'tags',
    rawQuery: true,
    fromAnnotations: true,
    textEditor: true,
    textColumn: text,
    tagsColumn: tags,
    titleColumn: '',
    timeEndColumn: '',
    name,
    _implementsDataqueryVariant: () => {},
  };
  return new dashboard.AnnotationQueryBuilder()
    .name(name)
    .datasource(storeRef)
    .enable(true)
    .iconColor(color)
    .target({ build: () => target });
}
