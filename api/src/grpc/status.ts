import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { status as codes, Metadata, type ServiceError } from '@grpc/grpc-js';
import type { ErrorCode, Issue, TidemarkError } from '@tidemark/core';

const statusOf: Record<ErrorCode, codes> = {
  bad_request: codes.INVALID_ARGUMENT,
  unauthorized: codes.UNAUTHENTICATED,
  forbidden: codes.PERMISSION_DENIED,
  not_found: codes.NOT_FOUND,
  method_not_allowed: codes.UNIMPLEMENTED,
  conflict: codes.FAILED_PRECONDITION,
  precondition_failed: codes.ABORTED,
  precondition_required: codes.FAILED_PRECONDITION,
  payload_too_large: codes.RESOURCE_EXHAUSTED,
  unsupported_media_type: codes.INVALID_ARGUMENT,
  nothing_accepted: codes.INVALID_ARGUMENT,
  store_rejected: codes.FAILED_PRECONDITION,
  unavailable: codes.UNAVAILABLE,
  spool_full: codes.UNAVAILABLE,
  spool_failed: codes.UNAVAILABLE,
  store_unavailable: codes.UNAVAILABLE,
  config_invalid: codes.INTERNAL,
  store_newer: codes.INTERNAL,
  store_damaged: codes.INTERNAL,
  address_in_use: codes.INTERNAL,
  data_dir_unusable: codes.INTERNAL,
  internal: codes.INTERNAL,
};

const defaultRetryAfterMs = 1000;

interface Fault {
  code: codes;
  message: string;
  /** A word that programs may match on: an error code, or a reason of the quarantine. */
  reason: string;
  issues?: readonly Issue[];
  /** Set where the same call may succeed later. */
  retryAfterMs?: number;
}

/** An error as a gRPC status whose details (google.rpc.Status, in `grpc-status-details-bin`) name the fields. */
export function toServiceError(error: TidemarkError, code = statusOf[error.code]): ServiceError {
  const { message, issues } = error;
  const isUnavailable = code === codes.UNAVAILABLE;
  return faultError({
    code,
    message,
    reason: error.code,
    issues,
    ...(isUnavailable && { retryAfterMs: error.retryAfterMs ?? defaultRetryAfterMs }),
  });
}

/** A status with its details. */
export function faultError(fault: Fault): ServiceError {
  const metadata = new Metadata();
  metadata.set('grpc-status-details-bin', Buffer.from(encodeStatus(fault)));
  return Object.assign(new Error(fault.message), { code: fault.code, details: fault.message, metadata });
}

// google/rpc/status.proto and error_details.proto; the numbers are those of their fields.

function encodeStatus({ code, message, reason, issues = [], retryAfterMs }: Fault): Uint8Array {
  const status = new BinaryWriter().uint32(tag(1, 0)).int32(code).uint32(tag(2, 2)).string(message);
  const info = new BinaryWriter().uint32(tag(1, 2)).string(reason).uint32(tag(2, 2)).string('tidemark');
  addDetail(status, 'google.rpc.ErrorInfo', info);
  if (issues.length > 0) addDetail(status, 'google.rpc.BadRequest', badRequest(issues));
  if (retryAfterMs !== undefined) addDetail(status, 'google.rpc.RetryInfo', retryInfo(retryAfterMs));
  return status.finish();
}

function addDetail(status: BinaryWriter, type: string, detail: BinaryWriter): void {
  const any = new BinaryWriter()
    .uint32(tag(1, 2))
    .string(`type.googleapis.com/${type}`)
    .uint32(tag(2, 2))
    .bytes(detail.finish());
  status.uint32(tag(3, 2)).bytes(any.finish());
}

function badRequest(issues: readonly Issue[]): BinaryWriter {
  const writer = new BinaryWriter();
  for (const { path, message } of issues) {
    const violation = new BinaryWriter().uint32(tag(1, 2)).string(path).uint32(tag(2, 2)).string(message);
    writer.uint32(tag(1, 2)).bytes(violation.finish());
  }
  return writer;
}

function retryInfo(delayMs: number): BinaryWriter {
  const duration = new BinaryWriter()
    .uint32(tag(1, 0))
    .int64(Math.floor(delayMs / 1000))
    .uint32(tag(2, 0))
    .int32((delayMs % 1000) * 1_000_000);
  return new BinaryWriter().uint32(tag(1, 2)).bytes(duration.finish());
}

function tag(field: number, wireType: number): number {
  return (field << 3) | wireType;
}
