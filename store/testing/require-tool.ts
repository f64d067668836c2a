/**
 * Says whether tests that need a tool can run, for `describe.skipIf(!requireTool(…))`, so that they are
 * reported as skipped by name. Where `CI=true` nothing may be skipped: an absent tool is an error there.
 */
export function requireTool(name: string, found: unknown): boolean {
  const isFound = found !== undefined && found !== false && found !== '';
  if (!isFound && process.env.CI === 'true') throw new Error(`CI=true, and ${name} was not found`);
  return isFound;
}
