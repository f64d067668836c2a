// The package ships no types; Aedes 2 takes its asynchronous form, which its main entry does not export.
declare module 'aedes-persistence-level/asyncPersistence.js' {
  import type { ClassicLevel } from 'classic-level';
  export default class LevelPersistence {
    constructor(db: ClassicLevel<string, unknown>);
  }
}
