export { Broker } from './broker.ts';
