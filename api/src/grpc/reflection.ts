import { BinaryReader } from '@bufbuild/protobuf/wire';
import { ReflectionService } from '@grpc/reflection';
import { descriptorSet } from './generated/descriptors.ts';

/** Server reflection, so that clients such as grpcurl need no proto file. */
export function createReflection(): ReflectionService {
  const fileDescriptorProtos = filesOf(Buffer.from(descriptorSet, 'base64'));
  // Of a package definition it reads the descriptors alone.
  const definitions = { 'tidemark.v1': { fileDescriptorProtos } };
  return new ReflectionService(definitions as unknown as ConstructorParameters<typeof ReflectionService>[0]);
}

/** The files of a google.protobuf.FileDescriptorSet, whose one field is `repeated FileDescriptorProto file = 1`. */
function filesOf(set: Uint8Array): Buffer[] {
  const reader = new BinaryReader(set);
  const files: Buffer[] = [];
  while (reader.pos < reader.len) {
    reader.uint32();
    files.push(Buffer.from(reader.bytes()));
  }
  return files;
}
