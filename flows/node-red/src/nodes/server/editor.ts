import { registerConfigNode } from '../../editor/register.ts';
import { spec } from './spec.ts';

registerConfigNode(spec, ({ apiUrl }) => String(apiUrl ?? ''));
