import {
  type AlertTransition,
  formatTime,
  type NotificationContent,
  type NotificationField,
  notificationFields,
  placeholderPattern,
  transitionToJson,
} from '@tidemark/core';

/** For programs to which an alert without an end is over soon. */
const NO_END = '9999-12-31T23:59:59Z';

/** What is told of a change on one channel; `location` is where the sensor is now. */
export function contentOf(
  transition: AlertTransition,
  { key, location }: { key: string; location: string | undefined },
): NotificationContent {
  const { number, recorded, isCurrent, notifies, ...shown } = transitionToJson(transition);
  const ends = transition.state === 'resolved' ? formatTime(transition.timeNs) : NO_END;
  return { ...shown, location: location ?? null, ends, key };
}

/** The body of a message: the template with its placeholders filled in, or else all fields as JSON. */
export function bodyOf(content: NotificationContent, template: string | undefined): string {
  if (template === undefined) {
    const fields = notificationFields.map((field) => [field, content[field]]);
    return JSON.stringify(Object.fromEntries(fields));
  }
  return template.replace(placeholderPattern, (_, isJson: string | undefined, name: NotificationField) => {
    const value = content[name];
    return isJson === undefined ? String(value ?? '') : JSON.stringify(value);
  });
}
