import { status as codes, Metadata, type ServiceError } from '@grpc/grpc-js';
import type { ErrorCode, Issue, TidemarkError } from '@tidemark/core';
import type { Any } from './generated/google/protobuf/any.ts';
import { BadRequest, ErrorInfo, RetryInfo } from './generated/google/rpc/error_details.ts';
import { Status } from './generated/google/rpc/status.ts';

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

function encodeStatus({ code, message, reason, issues = [], retryAfterMs }: Fault): Uint8Array {
  const details = [detail('ErrorInfo', ErrorInfo.encode({ reason, domain: 'tidemark' }))];
  if (issues.length > 0) {
    const fieldViolations = issues.map(({ path, message: description }) => ({ field: path, description }));
    details.push(detail('BadRequest', BadRequest.encode({ fieldViolations })));
  }
  if (retryAfterMs !== undefined) {
    const seconds = BigInt(Math.floor(retryAfterMs / 1000));
    const retryDelay = { seconds, nanos: Math.round((retryAfterMs % 1000) * 1_000_000) };
    details.push(detail('RetryInfo', RetryInfo.encode({ retryDelay })));
  }
  return Status.encode({ code, message, details }).finish();
}

function detail(type: string, message: { finish(): Uint8Array }): Any {
  return { typeUrl: `type.googleapis.com/google.rpc.${type}`, value: Buffer.from(message.finish()) };
}
