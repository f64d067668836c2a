// What tests of other packages need of this one.
export {
  ReadingServiceClient,
  ReadingServiceService,
} from '../grpc/generated/tidemark/v1/reading_service.ts';
export {
  RegistryServiceClient,
  RegistryServiceService,
} from '../grpc/generated/tidemark/v1/registry_service.ts';
export { unaryCall } from './unary-call.ts';
